// Scenarios of SessionsClient and of the helper of older pages against the real gateway.

import { Record, QUICK, check, equal, next, pause, refused, soon, thrown } from './harness.js';

function clientOf({ library, config, WebSocket }, options = {}) {
  return new library.SessionsClient({ url: `${config.url}/sessions`, WebSocket, ...QUICK, ...options });
}

/** Anonymous clients, isolation of sessions, publishing and leaving. */
export async function sessions(context) {
  const { library } = context;
  const one = clientOf(context, { name: 'One', session: 'room-a' });
  const two = clientOf(context, { name: 'Two', session: 'room-a' });
  const other = clientOf(context, { name: 'Other', session: 'room-b' });
  const nobody = clientOf(context);
  const opened = await soon(one.connect(), 'open');
  equal(opened, { session: 'room-a', isAuthenticated: false }, 'an anonymous connection');
  await soon(Promise.all([two, other, nobody].map((client) => client.connect())), 'all open');

  const [heard, elsewhere, outside, quiet] = [new Record(), new Record(), new Record(), new Record()];
  await soon(two.subscribe('Event', (payload, message) => heard.take([payload, message])), 'a subscription');
  await soon(other.subscribe('Event', elsewhere.take), 'the same topic in another session');
  await soon(nobody.subscribe('Event', outside.take, 'room-a'), 'a session that is named');
  await soon(nobody.subscribe('Event', quiet.take), 'the session of a connection that named none');
  const timestamp = '2026-11-21T10:25:37Z';
  await one.publish('Event', 'first "quoted" ß', { timestamp });
  await one.publish('Event', '2');
  await heard.until(2, 'what was published');
  const [payload, received] = heard.values[0];
  equal(payload, 'first "quoted" ß', 'the payload');
  const message = { publisher_name: 'One', topic: 'Event', payload, timestamp, session_id: 'room-a' };
  for (const [name, value] of Object.entries(message)) equal(received[name], value, `the member ${name}`);
  await outside.until(2, 'a subscription in a session that is not its own');
  await nobody.publish('Event', 'mine');
  await quiet.until(1, 'the session that the gateway gives');
  equal(quiet.values, ['mine'], 'only what is published there');
  equal(elsewhere.values, [], 'nothing reaches another session');

  await soon(two.unsubscribe('Event'), 'leaving');
  await one.publish('Event', '3');
  await outside.until(3, 'the others still hear');
  await soon(two.flush(), 'everything that was on its way has come');
  equal(heard.values.length, 2, 'who left hears nothing');
  thrown(() => one.subscribe('a|b', () => {}), TypeError, 'a topic with a bar');
  thrown(() => one.subscribe(' a', () => {}), TypeError, 'a topic with a space');
  thrown(() => one.publish('a', { not: 'text' }), TypeError, 'a payload that is no text');
  thrown(() => clientOf(context, { username: 'x' }), TypeError, 'half of the credentials');
  await Promise.all([one, two, other, nobody].map((client) => client.close()));
  check(library.tokenClaims('nonsense') === null, 'the claims of nonsense');
}

/** Credentials, and tokens that are replaced before they end. */
export async function sessionTokens(context) {
  const { library } = context;
  const credentials = { username: 'testuser', password: 'password' };
  const client = clientOf(context, { ...credentials, session: 'room-t' });
  const opened = await soon(client.connect(), 'open with a password');
  equal(opened, { session: 'room-t', isAuthenticated: true }, 'an authenticated connection');
  const claims = library.tokenClaims(client.token);
  equal([claims.sub, claims.sid], ['testuser', 'room-t'], 'the claims');
  const heard = new Record();
  await soon(client.subscribe('T', (payload, message) => heard.take(message.publisher_name)), 'a subscription');
  await client.publish('T', 'x');
  await heard.until(1, 'the own message');
  equal(heard.values, ['testuser'], 'the name of the publisher');
  await client.close();
  equal([client.token, client.isAuthenticated], [undefined, false], 'nothing is kept after the close');

  // A life of two seconds is due for replacement after one.
  const tokens = new Record();
  let requests = 0;
  const fetch = async (...words) => {
    requests += 1;
    const answer = await globalThis.fetch(...words);
    const { token } = await answer.json();
    return new Response(JSON.stringify({ token, expires_in: 2 }), { status: 200 });
  };
  const short = clientOf(context, { ...credentials, fetch });
  short.on('token', tokens.take);
  await soon(short.connect(), 'open');
  await soon((async () => {
    while (requests < 3) await pause(20);
  })(), 'the token is replaced before its end');
  equal(short.state, 'open', 'the connection does not notice');
  check(short.isAuthenticated, 'and there is always a valid token');
  check(tokens.values.length >= 1, 'it was told of its token');
  await short.close();
  const before = requests;
  await pause(1_500);
  equal(requests, before, 'a closed client asks for nothing');

  const wrong = clientOf(context, { username: 'testuser', password: '' });
  const error = await refused(wrong.connect(), library.AuthenticationError, 'an empty password');
  equal([error.status, wrong.state], [401, 'closed'], 'no second attempt');
  const forged = clientOf(context, { token: 'not.a.token', attemptsMax: 2 });
  await refused(forged.connect(), library.ConnectionError, 'a token that does not verify');
}

/** The gateway is killed and comes back under the client. */
export async function sessionsRestart(context) {
  const { control } = context;
  const client = clientOf(context, { username: 'testuser', password: 'password', session: 'room-r' });
  const named = clientOf(context, { name: 'Named', session: 'room-r' });
  const [heard, seen] = [new Record(), new Record()];
  await soon(Promise.all([client.connect(), named.connect()]), 'open');
  await client.subscribe('R', (payload) => heard.take(payload));
  await named.subscribe('R', (payload) => seen.take(payload));
  await Promise.all([next(client, 'reconnecting'), next(named, 'reconnecting'), control('kill')]);
  for (let number = 0; number < 50; number++) client.publish('R', `offline ${number}`);
  const late = client.subscribe('S', (payload) => heard.take(payload));
  client.publish('S', 'late');
  await next(client, 'reconnecting');
  await control('start');
  await soon(late, 'the subscription that was made offline');
  await heard.until(51, 'what was queued is delivered');
  const expected = Array.from({ length: 50 }, (_, number) => `offline ${number}`);
  equal(heard.values, [...expected, 'late'], 'the queue, in order, after the resubscription');
  await soon(named.connect(), 'the other is back');
  await soon(named.flush(), 'its subscription is processed');
  client.publish('R', 'again');
  await seen.until((values) => values.at(-1) === 'again', 'the other hears again');
  await Promise.all([client.close(), named.close()]);
}

/** The listing that older pages are written after, with nothing changed but where things are. */
export async function olderPages({ jwt, config, library, WebSocket }) {
  const { jwtManager } = jwt;
  const createAuthenticatedWebSocket = (...words) => jwt.createAuthenticatedWebSocket(...words, { WebSocket });
  const received = new Record();
  const wsUrl = `${config.url}/ws`;
  const authUrl = `${config.url.replace('ws', 'http')}/auth/token`;
  check(!jwtManager.isAuthenticated() && jwtManager.getToken() === null, 'no token at first');

  async function setupClient(clientName, sessionId, wsUrl, authUrl, username, password) {
    const ws = await createAuthenticatedWebSocket(
      wsUrl,
      authUrl,
      username,
      password,
      sessionId
    );
    ws.onmessage = (event) => {
      const data = JSON.parse(event.data);
      received.take([clientName, sessionId, data.topic, data.payload]);
    };
    ws.send(`register-name:${clientName}`);
    ws.send(`register-session:${sessionId}`);
    ws.send(`subscribe:NetworkConnectedEvent|${sessionId}`);
    ws.send(`subscribe:DetectCustomerEvent|${sessionId}`);
    return { ws, name: clientName, sessionId };
  }

  const first = await soon(setupClient('Client1', 'session-A', wsUrl, authUrl, 'testuser', 'password'), 'the first');
  const second = await soon(setupClient('Client2', 'session-B', wsUrl, authUrl, 'testuser', 'password'), 'the second');
  if (jwtManager.isAuthenticated()) check(jwtManager.getToken(), 'a valid token');
  equal(library.tokenClaims(jwtManager.getToken()).sid, 'session-B', 'the token of the latest');
  for (const client of [first, second]) {
    const message = {
      publisher_name: client.name,
      topic: 'NetworkConnectedEvent',
      payload: `Hello from ${client.name}!`,
      timestamp: new Date().toISOString(),
      session_id: client.sessionId,
    };
    client.ws.send(`publish-json:${JSON.stringify(message)}`);
  }
  await received.until(2, 'both messages');
  equal([...received.values].sort(), [
    ['Client1', 'session-A', 'NetworkConnectedEvent', 'Hello from Client1!'],
    ['Client2', 'session-B', 'NetworkConnectedEvent', 'Hello from Client2!'],
  ], 'each in its own session');

  check(!await jwtManager.refreshTokenIfNeeded(), 'a fresh token needs no other');
  check(await jwtManager.refreshTokenIfNeeded(1e6), 'one that is about to end does');
  jwtManager.setToken('not.a.token', 0.001);
  await pause(20);
  check(!jwtManager.isAuthenticated() && jwtManager.getToken() === null, 'an expired token is none');
  jwtManager.clearToken();
  check(!jwtManager.isAuthenticated() && !await jwtManager.refreshTokenIfNeeded(), 'nothing is left after a logout');
  const wrong = createAuthenticatedWebSocket(wsUrl, authUrl, 'testuser', '', 'session-A');
  await refused(wrong, library.AuthenticationError, 'an empty password');
  for (const client of [first, second]) client.ws.close();
}
