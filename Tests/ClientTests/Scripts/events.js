// Scenarios of EventsClient against the real gateway.

import { Record, QUICK, check, equal, next, recordEvents, refused, soon } from './harness.js';

function clientOf({ library, config, WebSocket }, options = {}) {
  return new library.EventsClient({ url: `${config.url}/events`, WebSocket, ...QUICK, ...options });
}

/** A session of its own, events and their replies, AI chats. */
export async function events(context) {
  const { library, config } = context;
  const client = clientOf(context);
  const welcome = await soon(client.connect(), 'open with a session of its own');
  equal([welcome.isLoggedIn, typeof welcome.socketId], [false, 'string'], 'the welcome');
  check(client.session.token.length > 20, 'the session');
  equal((await soon(client.echo({ n: [1, 'ß'] }), 'an echo')).received, { n: [1, 'ß'] }, 'the echo');
  check(typeof (await soon(client.ping(), 'a ping')).timestamp === 'string', 'the pong');
  const status = await soon(client.status(), 'the status');
  equal(status.connection.socketId, welcome.socketId, 'the status');
  check((await soon(client.info(), 'the info')).server.name, 'the info');
  const confirmed = new Record();
  client.on('message_received', confirmed.take);
  await client.emit('message', { content: 'hello' });
  await confirmed.until(1, 'a message');
  equal([confirmed.values[0].success, confirmed.values[0].data], [true, { content: 'hello' }], 'its confirmation');
  const errors = recordEvents(client, ['error']);
  await client.emit('no-such-event');
  await errors.until(1, 'an unknown event');
  const [, error] = errors.values[0];
  equal([error.name, error.message], ['ServerError', 'Unknown event type: no-such-event'], 'its error');

  const chunks = [];
  const stream = client.aiChat('Hello there', { conversationHistory: [] });
  for await (const chunk of stream) chunks.push(chunk);
  check(chunks.length >= 1 && stream.messageId.startsWith('ai-'), 'a reply in chunks');
  const whole = await soon(client.aiChat('Hello there').text(), 'a whole reply');
  equal(whole, chunks.join(''), 'the same reply in one piece');
  const several = ['One', 'Two two', 'Three three three'].map((text) => client.aiChat(text));
  const replies = await soon(Promise.all(several.map((one) => one.text())), 'three at a time');
  equal(new Set(several.map((one) => one.messageId)).size, 3, 'three replies');
  check(replies.every((text) => text !== ''), 'none of them empty');
  for await (const chunk of client.aiChat('Something to leave early')) {
    check(chunk !== '', 'a chunk');
    break;
  }
  equal((await soon(client.echo('after'), 'an echo')).received, 'after', 'the connection goes on');
  const cut = client.aiChat('A reply that is cut off by the end of the connection');
  await soon(cut.next(), 'its first chunk');
  const rest = (async () => {
    for await (const chunk of cut) check(chunk !== '', 'a chunk');
  })();
  await Promise.all([client.close(), refused(rest, library.ClosedError, 'a reply that is cut off')]);

  const session = await soon(library.EventsClient.acquireSession(config.url), 'a session on request');
  const given = clientOf(context, { token: session.token });
  await soon(given.connect(), 'open with a token');
  equal(given.session, undefined, 'no session of its own');
  await given.close();
  const wrong = clientOf(context, { token: 'nonsense', attemptsMax: 2 });
  await refused(wrong.connect(), library.ConnectionError, 'an unknown token');
}

/** The gateway is killed and comes back under the client; it has forgotten the session. */
export async function eventsRestart(context) {
  const { control } = context;
  const client = clientOf(context);
  await soon(client.connect(), 'open');
  const before = client.session.token;
  await Promise.all([next(client, 'close'), control('kill')]);
  const received = [];
  client.on('echo_response', (data) => received.push(data.received));
  for (let number = 0; number < 49; number++) client.emit('echo', number);
  // Its reply is told from those of the events before it.
  const last = client.echo('last');
  const reply = client.aiChat('Asked offline').text();
  await control('start');
  equal((await soon(last, 'the last of the queue')).received, 'last', 'the last of the queue');
  equal(received, [...Array.from({ length: 49 }, (_, number) => number), 'last'], 'the queue, in order');
  check((await soon(reply, 'a reply that was asked for offline')) !== '', 'the reply');
  check(client.session.token !== before, 'a new session');
  await client.close();
}
