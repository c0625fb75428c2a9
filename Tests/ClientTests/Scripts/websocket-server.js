// As little of a WebSocket server as a misbehaving gateway needs: text frames under 64 KiB, and close. Node only.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** One accepted connection. `onText(text)` and `onEnd()` are set by the owner. */
export class Peer {
  onText = () => {};
  onEnd = () => {};
  #socket;
  #bytes = Buffer.alloc(0);
  #isClosing = false;

  constructor(socket, head) {
    this.#socket = socket;
    socket.on('data', (more) => this.#receive(more));
    socket.on('error', () => {});
    socket.on('close', () => this.onEnd());
    if (head.length > 0) this.#receive(head);
  }

  send(value) {
    this.#frame(0x81, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
  }

  close(code, reason = '') {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#isClosing = true;
    this.#frame(0x88, Buffer.concat([payload, Buffer.from(reason)]));
  }

  /** Ends TCP without a close frame. */
  drop() {
    this.#socket.destroy();
  }

  #frame(first, payload) {
    const header = payload.length < 126
      ? Buffer.from([first, payload.length])
      : Buffer.from([first, 126, payload.length >> 8, payload.length & 0xff]);
    this.#socket.write(Buffer.concat([header, payload]));
  }

  #receive(more) {
    this.#bytes = Buffer.concat([this.#bytes, more]);
    while (this.#bytes.length >= 2) {
      let length = this.#bytes[1] & 0x7f;
      let start = 2;
      if (length === 126) {
        if (this.#bytes.length < 4) return;
        length = this.#bytes.readUInt16BE(2);
        start = 4;
      }
      const end = start + 4 + length;
      if (this.#bytes.length < end) return;
      const mask = this.#bytes.subarray(start, start + 4);
      const payload = Buffer.from(this.#bytes.subarray(start + 4, end).map((byte, index) => byte ^ mask[index & 3]));
      const opcode = this.#bytes[0] & 0x0f;
      this.#bytes = this.#bytes.subarray(end);
      if (opcode === 8) {
        if (!this.#isClosing) this.#frame(0x88, payload);
        this.#socket.end();
      } else if (opcode === 1) {
        this.onText(payload.toString());
      }
    }
  }
}

/**
 * Listens on a free loopback port. `accept(peer, url)` gets each WebSocket, unless `accept.refuses(url)` gives a status
 * to refuse it with; `answer(request, response)` gets everything else.
 */
export async function listen({ accept, answer }) {
  const server = createServer(answer ?? ((_, response) => response.writeHead(404).end()));
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    const status = accept.refuses?.(url) ?? 0;
    if (status > 0) {
      socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return;
    }
    const key = createHash('sha1').update(request.headers['sec-websocket-key'] + GUID).digest('base64');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
      + `Sec-WebSocket-Accept: ${key}\r\n\r\n`);
    accept(new Peer(socket, head), url);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
