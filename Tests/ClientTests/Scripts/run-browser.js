// Runs scenarios in a page of a headless Chromium: serves the page on loopback, and passes on what it reports.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startFaultyGateway } from './faulty-gateway.js';
import { controlOf, readLine, writeLine } from './lines.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const directories = { scripts: here, client: join(here, '../../../clients/javascript') };
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8' };

const task = await readLine();
const faulty = await startFaultyGateway();
task.config.faultyUrl = `ws://127.0.0.1:${faulty.port}`;
const control = controlOf(task.config.url);
/** How long Chromium may take to ask for the task on a busy machine. */
const START_MILLISECONDS = 120_000;
const tooLate = setTimeout(() => {
  writeLine({ scenario: 'browser', error: `it did not start: ${complaints}` });
  finish(1);
}, START_MILLISECONDS);

async function file(path) {
  if (path === '/socket.io.js') return { type: types.js, body: await readFile(task.config.socketIO) };
  const [, directory, name] = /^\/(scripts|client)\/([a-z_-]+\.(?:html|js))$/.exec(path) ?? [];
  if (!name) return null;
  return { type: types[name.split('.').at(-1)], body: await readFile(join(directories[directory], name)) };
}

async function posted(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? null : JSON.parse(text);
}

async function answer(request, response) {
  const path = request.url.split('?')[0];
  if (request.method === 'GET') {
    const found = await file(path);
    response.writeHead(found ? 200 : 404, { 'Content-Type': found?.type ?? 'text/plain' });
    response.end(found?.body);
    return;
  }
  const value = await posted(request);
  let reply = null;
  if (path === '/task') {
    clearTimeout(tooLate);
    reply = task;
  }
  if (path === '/control') {
    try {
      reply = await control(value);
    } catch {
      // No token from a gateway that is away: for the page a failure to ask again after.
      response.writeHead(503).end();
      return;
    }
  }
  if (path === '/result') writeLine(value);
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(reply));
  if (value?.done === true) await finish(0);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error('page server:', error);
    response.destroy();
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

/** All its files, temporary ones too: what it is killed with it cannot clean up. */
const profile = await mkdtemp(join(tmpdir(), 'martlet-chromium-'));
const chromium = spawn(task.config.browser, [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--no-proxy-server',
  // It is to talk to this machine only.
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1, EXCLUDE localhost',
  `--user-data-dir=${profile}`,
  `http://127.0.0.1:${server.address().port}/scripts/page.html`,
], { stdio: ['ignore', 'ignore', 'pipe'], detached: true, env: { ...process.env, TMPDIR: profile } });
let complaints = '';
chromium.stderr.on('data', (chunk) => { complaints = (complaints + chunk).slice(-4_000); });
chromium.on('exit', () => {
  writeLine({ scenario: 'browser', error: `it ended: ${complaints}` });
  process.exit(1);
});

/** Ends the browser with all its processes: it leads a group of its own. */
async function finish(status) {
  chromium.removeAllListeners('exit');
  const gone = new Promise((resolve) => chromium.on('exit', resolve));
  try {
    process.kill(-chromium.pid, 'SIGKILL');
    await gone;
  } catch {
    // It is gone already.
  }
  await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  process.exit(status);
}
process.on('SIGTERM', () => finish(1));
process.stdin.on('end', () => finish(1));
