// Runs scenarios in Node. With `"webSocket":"ws"` in the configuration they use the `ws` package, not Node's own class.

import { createRequire } from 'node:module';
import { FileReader, XMLHttpRequest } from './browser-globals.js';
import { startFaultyGateway } from './faulty-gateway.js';
import { controlOf, readLine, writeLine } from './lines.js';
import { run } from './scenarios.js';
import * as types from './types.js';
import * as library from '../../../clients/javascript/martlet.js';
import * as jwt from '../../../clients/javascript/jwt_utils.js';

// A promise that nobody looked at must not be refused: it would end a Node process.
process.on('unhandledRejection', (error) => {
  writeLine({ scenario: 'unhandled rejection', error: String(error?.stack ?? error) });
});

/** The `ws` package: where Node looks, or where Debian puts it. */
function packageClass() {
  const require = createRequire(import.meta.url);
  try {
    return require('ws');
  } catch {
    return require('/usr/share/nodejs/ws');
  }
}

const { scenarios, config } = await readLine();
const faulty = await startFaultyGateway();
config.faultyUrl = `ws://127.0.0.1:${faulty.port}`;
const isPackage = config.webSocket === 'ws' || typeof globalThis.WebSocket !== 'function';
const WebSocket = isPackage ? packageClass() : undefined;
/** The official Socket.IO client: its bundle for browsers, which looks for what they have when it is loaded. */
function socketIO() {
  if (WebSocket) globalThis.WebSocket = WebSocket;
  Object.assign(globalThis, { XMLHttpRequest, FileReader });
  return createRequire(import.meta.url)(config.socketIO);
}

const io = config.socketIO ? socketIO() : undefined;
const context = { library, jwt, config, control: controlOf(config.url), WebSocket, io };
for (const scenario of scenarios) writeLine(await run(scenario, context, types));
writeLine({ done: true });
faulty.close();
process.exit(0);
