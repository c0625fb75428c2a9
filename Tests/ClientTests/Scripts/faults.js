// Scenarios against a gateway that does wrong: close codes, silence, refusals, limits.

import { QUICK, Record, check, equal, next, pause, recordEvents, refused, soon, thrown } from './harness.js';

function clientOf({ library, config, WebSocket }, path, options = {}) {
  return new library.ChannelsClient({ url: `${config.faultyUrl}${path}`, WebSocket, ...QUICK, ...options });
}

/** What a client does after each close code (docs/CLOSE_CODES.md). */
export async function closeCodes(context) {
  const { library, config } = context;
  for (const [code, reason, advice] of config.closeCodes) {
    equal(library.closeAdvice(code, reason), advice, `the advice for ${code} ${reason}`);
    // The code of a close frame: 1006 and their like are never sent.
    if (code < 1000 || code === 1005 || code === 1006) continue;
    const client = clientOf(context, `/close/${code}/${encodeURIComponent(reason)}?${advice}`);
    const events = recordEvents(client);
    await soon(client.connect(), 'the welcome');
    const closed = next(client, 'close');
    client.publish('any', 1);
    const told = await closed;
    const isStop = advice === 'stop';
    equal([told.code, told.reason, told.willReconnect], [code, reason, !isStop], `the close event of ${code}`);
    if (isStop) {
      equal(client.state, 'closed', `${code} ends the client`);
      await refused(client.publish('any', 2), library.ClosedError, `publishing after ${code}`);
    } else {
      await soon(client.connect(), `${code}: open again`);
      const [, pauseTold] = events.values.find(([name]) => name === 'reconnecting');
      equal([pauseTold.attempt, pauseTold.code], [1, code], `the pause after ${code}`);
      await client.close();
    }
  }
}

/** A connection that says nothing any more is given up, and so is one that never says its welcome. */
export async function silence(context) {
  const { library } = context;
  const quick = { heartbeatMilliseconds: 100, answerMilliseconds: 2_000, connectMilliseconds: 1_500 };
  const silent = clientOf(context, '/silent', quick);
  const heard = new Record();
  const welcome = await soon(silent.connect(), 'the welcome');
  equal(welcome.connection, 1, 'the first connection');
  const subscribed = silent.subscribe('any', heard.take);
  const flushed = silent.flush();
  const told = next(silent, 'close');
  await refused(flushed, library.ConnectionLostError, 'a question without an answer');
  equal([(await told).code, (await told).reason], [1006, 'the gateway fell silent'], 'the close event');
  await soon(subscribed, 'the subscription is repeated on the next connection');
  silent.publish('any', 'back');
  await heard.until(1, 'the next connection works');
  // Long enough for several heartbeats, which are all answered now.
  const losses = recordEvents(silent, ['close']);
  await pause(600);
  equal(losses.values.length, 0, 'an answered heartbeat ends nothing');
  await silent.close();

  const mute = clientOf(context, '/mute', quick);
  const events = recordEvents(mute);
  equal((await soon(mute.connect(), 'the third attempt')).connection, 3, 'two attempts are given up');
  equal(events.values.map(([name]) => name), ['error', 'reconnecting', 'error', 'reconnecting', 'open'], 'the events');
  check(events.values[0][1] instanceof library.TimeoutError, 'the error of an attempt without a welcome');
  await mute.close();
}

/** Refused attempts: again where that helps, an end where it does not or where the limit is reached. */
export async function refusals(context) {
  const { library, WebSocket } = context;
  const flaky = clientOf(context, '/flaky');
  const events = recordEvents(flaky, ['reconnecting']);
  await soon(flaky.connect(), 'the fourth attempt');
  equal(events.values.map(([, { attempt }]) => attempt), [1, 2, 3], 'three refusals, three pauses');
  await flaky.close();

  const hopeless = clientOf(context, '/refuse/403', { attemptsMax: 3 });
  const errors = recordEvents(hopeless, ['error', 'close']);
  const queued = hopeless.publish('any', 1);
  const error = await refused(hopeless.connect(), library.ConnectionError, 'an attempt too many');
  await refused(queued, library.ConnectionError, 'what was queued');
  equal(hopeless.state, 'closed', 'the end');
  // Only some classes tell the status: then there is no need to try again.
  const attempts = WebSocket ? 1 : 3;
  if (WebSocket) equal(error.status, 403, 'the status');
  equal(errors.values.length, attempts + 1, 'an error for each attempt, and one close');
  equal(errors.values.at(-1)[1].willReconnect, false, 'no reconnection');

  const tokens = ['one', 'two'];
  const asked = clientOf(context, '/drop', { token: () => tokens.shift() ?? 'three' });
  equal((await soon(asked.connect(), 'the welcome')).query.token, 'one', 'the first token');
  asked.publish('any', 1);
  await next(asked, 'close');
  equal((await soon(asked.connect(), 'open again')).query.token, 'two', 'the second token');
  await asked.close();

  let calls = 0;
  const failing = clientOf(context, '/good', { token: async () => {
    calls += 1;
    if (calls === 1) throw new Error('the token service is away');
    return 'late';
  } });
  const late = await soon(failing.connect(), 'the second attempt');
  equal(late.query.token, 'late', 'a provider that fails is asked again');
  await failing.close();
  const final = new library.AuthenticationError('wrong password', { status: 401 });
  const stopped = clientOf(context, '/good', { token: () => Promise.reject(final) });
  equal((await refused(stopped.connect(), library.AuthenticationError, 'a final refusal')).status, 401, 'its status');
}

/** A gateway that was started anew may know neither the session nor the key: the next attempt brings another token. */
export async function staleTokens({ library, config, WebSocket }) {
  const url = `${config.faultyUrl}/forgetful`;
  const answer = (value) => new Response(JSON.stringify(value), { status: 200 });
  let requests = 0;
  const tokenOf = () => {
    requests += 1;
    return requests === 1 ? 'old' : 'new';
  };
  const sessions = new library.SessionsClient({
    url, WebSocket, ...QUICK, username: 'u', password: 'p',
    fetch: async () => answer({ token: tokenOf(), expires_in: 3600 }),
  });
  await soon(sessions.connect(), 'open with the second token');
  equal([sessions.token, requests], ['new', 2], 'the token is asked for again');
  await sessions.close();

  requests = 0;
  const lookups = new Record();
  const fetch = async (address) => {
    const isNew = address.includes('acquire-session');
    if (isNew) return answer({ success: true, data: { token: tokenOf(), expiresAt: '' } });
    lookups.take(new URL(address).searchParams.get('token'));
    return answer({ success: false, error: 'Invalid or expired session' });
  };
  const events = new library.EventsClient({ url, WebSocket, ...QUICK, fetch });
  await soon(events.connect(), 'open with the second session');
  equal([events.session.token, lookups.values], ['new', ['old']], 'the session is looked up, and replaced');
  await events.close();
}

/** Closing in each state, limits of the queue, pauses, arguments. */
export async function limits(context) {
  const { library, WebSocket } = context;
  const idle = clientOf(context, '/good');
  const dropped = idle.publish('any', 1);
  await soon(idle.close(), 'closing before connecting');
  await refused(dropped, library.ClosedError, 'what was queued before');

  const connecting = clientOf(context, '/mute?close');
  const opening = connecting.connect();
  await soon(connecting.close(), 'closing while connecting');
  await refused(opening, library.ClosedError, 'connect() when closed');

  const waiting = clientOf(context, '/refuse/503', { backoffBaseMilliseconds: 60_000, backoffMaxMilliseconds: 60_000 });
  waiting.connect();
  await next(waiting, 'reconnecting');
  equal(waiting.state, 'waiting', 'a pause');
  const closes = recordEvents(waiting, ['close']);
  await soon(waiting.close(), 'closing in a pause');
  equal([closes.values.length, waiting.state], [1, 'closed'], 'one close event');

  const small = clientOf(context, '/good', { queueCharactersMax: 100 });
  const kept = small.publish('any', 'a');
  await refused(small.publish('any', 'b'.repeat(100)), library.QueueFullError, 'too many characters');
  const heard = new Record();
  small.subscribe('any', heard.take);
  await soon(small.connect(), 'the welcome');
  await soon(kept, 'the older message is sent');
  await heard.until(1, 'the older message is delivered');
  equal(heard.values, ['a'], 'the older message is delivered');
  // A handler that fails harms nobody.
  const { error: complain } = console;
  const { reportError } = globalThis;
  const complaints = new Record();
  console.error = (...words) => complaints.take(words.at(-1));
  if (reportError) globalThis.reportError = complaints.take;
  await small.subscribe('any', () => { throw new Error('a bad handler'); });
  await small.subscribe('any', async () => { throw new Error('a bad promise'); });
  const after = new Record();
  await small.subscribe('any', after.take);
  small.publish('any', 'c');
  await after.until(1, 'the handlers after a bad one');
  await complaints.until(2, 'failures of handlers are reported');
  console.error = complain;
  if (reportError) globalThis.reportError = reportError;
  await small.close();

  const pauses = { backoffBaseMilliseconds: 1000, backoffMaxMilliseconds: 30_000 };
  const ceilings = [0, 1, 2, 3, 4, 5, 6, 5000].map((count) => library.backoffMilliseconds(count, pauses, () => 1));
  equal(ceilings, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000], 'the longest pauses');
  equal(library.backoffMilliseconds(5000, pauses, () => 0), 0, 'full jitter begins at nothing');
  thrown(() => clientOf(context, '/good', { queueMessagesMax: -1 }), TypeError, 'a limit below zero');
  thrown(() => clientOf(context, '/good', { queueMessagesMax: '5' }), TypeError, 'a limit that is no number');
  thrown(() => new library.ChannelsClient({ url: 'http://127.0.0.1/', WebSocket }), TypeError, 'an address of HTTP');
  thrown(() => new library.ChannelsClient({ url: 'nonsense', WebSocket }), TypeError, 'no address');
  thrown(() => clientOf(context, '/good').on('open', 'nothing'), TypeError, 'no handler');
}

/** AI replies that break off, are refused, or come in pieces of several. */
export async function brokenReplies(context) {
  const { library, config, WebSocket } = context;
  const url = `${config.faultyUrl}/ai`;
  const client = new library.EventsClient({ url, token: 'any', WebSocket, ...QUICK, heartbeatMilliseconds: 0 });
  await soon(client.connect(), 'the welcome');
  const error = await refused(client.aiChat('refused').text(), library.ServerError, 'a refused question');
  equal(error.message, 'Message is required', 'its error');

  const failing = client.aiChat('failing');
  equal(await soon(failing.next(), 'the first chunk'), { value: 'half ', done: false }, 'what came before the failure');
  await refused(failing.next(), library.ServerError, 'the failure');
  equal((await failing.next()).done, true, 'and then the end');

  const left = client.aiChat('left');
  await soon(left.next(), 'the first chunk');
  await left.return();
  const other = client.aiChat('later');
  equal(await soon(other.text(), 'a reply'), 'fine', 'the failure of a reply that was left is about no other');

  const both = [client.aiChat('first').text(), client.aiChat('second').text()];
  equal(await soon(Promise.all(both), 'two replies'), ['1 2', 'one two'], 'told apart by their numbers');

  const cut = client.aiChat('cut');
  equal((await soon(cut.next(), 'half of a reply')).value, 'half', 'half of a reply');
  await refused(cut.next(), library.ConnectionLostError, 'the other half');
  await soon(client.connect(), 'open again');
  equal(await soon(Promise.all([client.aiChat('first').text(), client.aiChat('second').text()]), 'two replies'),
    ['1 2', 'one two'], 'the next connection works');

  const small = new library.EventsClient({ url, token: 'any', WebSocket, ...QUICK, streamCharactersMax: 3 });
  await soon(small.connect(), 'the welcome');
  const ended = new Record();
  small.on('ai:response:complete', ended.take);
  const unread = [small.aiChat('first'), small.aiChat('second')];
  await ended.until(2, 'two replies that nobody reads');
  equal(await soon(unread[0].text(), 'a reply within the limit'), '1 2', 'a reply within the limit');
  await refused(unread[1].text(), library.QueueFullError, 'a reply beyond the limit');
  const slow = new library.EventsClient({ url, token: 'any', WebSocket, ...QUICK, callMilliseconds: 100 });
  await soon(slow.connect(), 'the welcome');
  await refused(slow.aiChat('first').text(), library.TimeoutError, 'a reply that does not go on');
  await refused(slow.aiChat('never').text(), library.TimeoutError, 'a reply that does not begin');
  await Promise.all([client, small, slow].map((one) => one.close()));
}
