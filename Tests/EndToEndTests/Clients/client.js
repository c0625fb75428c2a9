// A channels client made with Node's own WebSocket (or the `ws` package), driven by lines on standard input: see client.py.
'use strict';
const { createHash } = require('crypto');
const readline = require('readline');
const Socket = typeof WebSocket === 'function' ? WebSocket : require('ws');

function payload(number) {
  return `{"from":"node" ,"n":${number}, "text":"\\ud83d\\ude00 ß é ${'y'.repeat(number % 89)}","f":[ 1e2,0.10,{}]}`;
}

function rawData(text) {
  const marker = ',"data":';
  return text.slice(text.indexOf(marker) + marker.length, text.lastIndexOf(',"timestamp":"'));
}

class Client {
  constructor() {
    this.messages = [];
    this.waiting = null;
  }

  connect(url) {
    if (this.socket) { this.socket.onclose = null; this.socket.close(); }
    this.socket = new Socket(url);
    this.socket.onmessage = (event) => {
      this.messages.push(event.data);
      if (this.waiting) { this.waiting(); this.waiting = null; }
    };
    this.socket.onerror = (event) => { console.error('error', event.message); process.exit(1); };
    // 1001 is the end of the test's gateway.
    this.socket.onclose = (event) => { if (event.code !== 1001) console.error('closed', event.code); process.exit(1); };
  }

  async next() {
    while (this.messages.length === 0) {
      const timer = setTimeout(() => { console.error('nothing came for a minute'); process.exit(1); }, 60000);
      await new Promise((resolve) => { this.waiting = resolve; });
      clearTimeout(timer);
    }
    return this.messages.shift();
  }

  async expect(type) {
    const text = await this.next();
    if (JSON.parse(text).type !== type) throw new Error(`expected ${type}: ${text}`);
  }

  publish(channel, count) {
    const digest = createHash('sha256');
    for (let number = 0; number < count; number++) {
      const text = payload(number);
      digest.update(text + '\n');
      this.socket.send(`{"channel":"${channel}","action":"publish","payload":${text}}`);
    }
    this.socket.send(`{"channel":"${channel}","action":"publish","payload":"end"}`);
    return `${count} ${digest.digest('hex')}`;
  }

  async collect() {
    const digest = createHash('sha256');
    for (let count = 0; ; count++) {
      const data = rawData(await this.next());
      if (data === '"end"') return `${count} ${digest.digest('hex')}`;
      digest.update(data + '\n');
    }
  }
}

async function main() {
  const client = new Client();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, first, second] = line.split(' ');
    let answer;
    if (verb === 'connect') {
      client.connect(first);
      await client.expect('connected');
      answer = 'connected';
    } else if (verb === 'subscribe') {
      client.socket.send(JSON.stringify({ action: 'subscribe', channel: first }));
      await client.expect('subscribed');
      answer = 'subscribed';
    } else if (verb === 'publish') {
      answer = `published ${client.publish(first, Number(second))}`;
    } else if (verb === 'collect') {
      answer = `collected ${await client.collect()}`;
    }
    console.log(answer);
  }
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
