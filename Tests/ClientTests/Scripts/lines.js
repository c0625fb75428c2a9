// The conversation with the test: one JSON value a line, on standard input and output. Node only.
//
// The first line in is the task: `{"scenarios":[…],"config":{…}}`. Out go lines like `{"control":"kill"}`, answered by
// a line each; then `{"scenario":…,"checks":n}` or `{"scenario":…,"error":…}` for each scenario, and `{"done":true}`.

import { createInterface } from 'node:readline';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function readLine() {
  const { value, done } = await lines.next();
  if (done) process.exit(1);
  return JSON.parse(value);
}

export function writeLine(value) {
  process.stdout.write(JSON.stringify(value) + '\n');
}

/** The end of the conversation that is under way: lines are answered in the order in which they were asked for. */
let last = Promise.resolve();

/** Asks the test to do something to the gateway: `kill`, `start` or `restart` (gracefully). */
function ask(command) {
  const answer = last.then(() => {
    writeLine({ control: command });
    return readLine();
  });
  last = answer.catch(() => {});
  return answer;
}

async function post(url, body) {
  const headers = { 'Content-Type': 'application/json' };
  return await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** What scenarios ask of the world around them. The gateway at `url` is the one that `ask` reaches. */
export function controlOf(url) {
  const address = url.replace('ws', 'http');
  return async (command) => {
    if (command !== 'walkerToken') return await ask(command);
    // The first time the account is made; whether it outlives the gateway is not of interest here.
    const account = { email: 'tester@example.com', password: 'a long password' };
    await post(`${address}/user/register`, account);
    const answer = await post(`${address}/user/login`, account);
    return (await answer.json()).token;
  };
}
