// Scenarios of ChannelsClient against the real gateway.

import { Record, QUICK, check, equal, next, recordEvents, refused, soon, thrown } from './harness.js';

function clientOf({ library, config, WebSocket }, user = 'alice', options = {}) {
  const token = config.channelTokens[user];
  return new library.ChannelsClient({ url: `${config.url}/channels`, token, WebSocket, ...QUICK, ...options });
}

/** Subscribing, publishing, filters, broadcasts, refusals. */
export async function channels(context) {
  const { library } = context;
  const alice = clientOf(context);
  const bob = clientOf(context, 'bob');
  const welcome = await soon(alice.connect(), 'the welcome');
  equal([welcome.type, welcome.userId, alice.userId, alice.state], ['connected', 'alice', 'alice', 'open'], 'welcome');
  await soon(bob.connect(), 'the welcome of the second');

  const news = new Record();
  const subscription = await soon(bob.subscribe('news', (data, message) => news.take([data, message.from])), 'ack');
  equal([subscription.channel, subscription.filters], ['news', undefined], 'the subscription');
  const values = [1, 'two', null, [3, { four: 'ß 😀 \u2028' }], { five: [] }, true];
  for (const value of values) await alice.publish('news', value);
  await news.until(values.length, 'what was published');
  equal(news.values, values.map((value) => [value, 'alice']), 'payloads, in order');

  const [hot, cold, all] = [new Record(), new Record(), new Record()];
  await Promise.all([
    bob.subscribe('weather', { kind: 'hot' }, hot.take),
    bob.subscribe('weather', { kind: ['cold', 'wet'], zone: { id: 1 } }, cold.take),
  ]);
  const wet = (id) => ({ kind: 'wet', zone: { id } });
  const sent = [{ kind: 'hot' }, wet(1), wet(2), 'text', { kind: 'hot', n: 2 }];
  for (const value of sent) alice.publish('weather', value);
  await hot.until(2, 'what passes the first filter');
  equal(hot.values, [{ kind: 'hot' }, { kind: 'hot', n: 2 }], 'what passes the first filter');
  equal(cold.values, [wet(1)], 'what passes the second filter');
  const open = await bob.subscribe('weather', all.take);
  await open.unsubscribe();
  await alice.publish('weather', { kind: 'hot', n: 3 });
  await hot.until(3, 'the first filter still works');
  equal(all.values, [], 'what was unsubscribed hears nothing while its neighbours do');

  await soon(bob.unsubscribe('news'), 'the acknowledgement of unsubscribe');
  await soon(bob.unsubscribe('never'), 'unsubscribing what was not subscribed');
  await alice.publish('news', 'late');
  await soon(alice.flush(), 'flush');
  await soon(bob.flush(), 'flush');
  equal(news.values.length, values.length, 'nothing comes after unsubscribe');

  const [broadcasts, telemetry] = [new Record(), new Record()];
  bob.onBroadcast('telemetry', broadcasts.take);
  await bob.subscribe('telemetry', (data, message) => telemetry.take([data.metric, message.type, message.from]));
  await broadcasts.until(1, 'a broadcast of the gateway');
  equal(telemetry.values[0], ['system_health', 'broadcast', undefined], 'the broadcast');

  const errors = recordEvents(bob, ['error']);
  const tooLong = bob.subscribe('x'.repeat(5000), () => {});
  const error = await refused(tooLong, library.ServerError, 'a name that is too long');
  equal([error.message, errors.values.length], ['Invalid channel', 1], 'the refusal');
  thrown(() => bob.subscribe('', () => {}), TypeError, 'an empty name');
  thrown(() => bob.subscribe('x', 5, () => {}), TypeError, 'filters that are no object');
  thrown(() => bob.subscribe('x'), TypeError, 'no handler');
  await refused(bob.publish('x', 'y'.repeat(1_100_000)), library.MessageTooBigError, 'a message that is too long');

  const closed = next(bob, 'close');
  await soon(bob.close(), 'the close');
  equal(await closed, { code: 1000, reason: '', wasClean: true, willReconnect: false }, 'the event of a clean close');
  await refused(bob.publish('x', 1), library.ClosedError, 'publishing after the close');
  await soon(bob.connect(), 'a closed client may connect again');
  await bob.close();
  await alice.close();
}

/** The gateway is killed and comes back under two clients. */
export async function channelsRestart(context) {
  const { library, config, control } = context;
  const asked = new Record();
  const token = async () => {
    asked.take('asked');
    return config.channelTokens.alice;
  };
  const alice = clientOf(context, 'alice', { token, queueMessagesMax: 100, attemptsMax: Infinity });
  const bob = clientOf(context, 'bob');
  const [mine, theirs, filtered] = [new Record(), new Record(), new Record()];
  const events = recordEvents(alice);
  // Nothing is lost that is asked for before there is a connection.
  const early = alice.subscribe('log', mine.take);
  const first = alice.publish('log', 'early');
  await soon(alice.connect(), 'the welcome');
  await soon(Promise.all([early, first]), 'what was asked for before the connection');
  await mine.until(1, 'what was published before the connection');
  mine.values.length = 0;
  await soon(bob.connect(), 'the welcome of the second');
  await bob.subscribe('log', theirs.take);
  await bob.subscribe('some', { even: true }, filtered.take);

  await Promise.all([next(alice, 'reconnecting'), next(bob, 'reconnecting'), control('kill')]);
  equal(events.values.map(([name]) => name).slice(0, 3), ['open', 'close', 'reconnecting'], 'the events of a loss');
  const [, lost] = events.values[1];
  equal([lost.code, lost.willReconnect], [1006, true], 'the close of a killed gateway');
  const sent = [];
  for (let number = 0; number < 98; number++) sent.push(alice.publish('log', { number, text: `offline ${number}` }));
  const late = alice.subscribe('later', mine.take);
  sent.push(alice.publish('later', 'after the late subscription'), alice.publish('some', { even: true }));
  await refused(alice.publish('log', 'one too many'), library.QueueFullError, 'the newest beyond the limit');
  equal(alice.queued, 100, 'the oldest are kept');
  check(alice.state !== 'open', 'not open while the gateway is away');

  // The gateway is away until both have failed at least twice: pauses, not a busy loop.
  await events.until((values) => values.filter(([name]) => name === 'reconnecting').length >= 3, 'three pauses');
  const reconnected = new Record();
  bob.once('open', () => reconnected.take('open'));
  await control('start');
  await soon(late, 'the subscription that was made offline');
  await soon(Promise.all(sent), 'what was queued is handed over');
  await mine.until(99, 'what was queued is delivered');
  const expected = Array.from({ length: 98 }, (_, number) => ({ number, text: `offline ${number}` }));
  equal(mine.values, [...expected, 'after the late subscription'], 'the queue, in order, after the resubscription');
  check(asked.values.length >= 2, 'the token was asked for again');
  for (const [name, value] of events.values) {
    if (name !== 'reconnecting') continue;
    const { backoffMaxMilliseconds } = QUICK;
    check(value.delayMilliseconds >= 0 && value.delayMilliseconds <= backoffMaxMilliseconds, 'the pause is bounded');
  }

  await reconnected.until(1, 'the second client is back');
  await soon(bob.flush(), 'its subscriptions are processed');
  alice.publish('log', 'again');
  alice.publish('some', { even: false });
  alice.publish('some', { even: true, last: true });
  // What was queued may have reached it too, if it was back first.
  await theirs.until((values) => values.at(-1) === 'again', 'the second client hears again');
  await filtered.until((values) => values.some((value) => value.last), 'filters hold after a reconnection');
  check(filtered.values.every((value) => value.even), 'and nothing else passes them');

  // A graceful stop says 1001: back at once, which is when its successor is there.
  const stopped = next(alice, 'close');
  await control('restart');
  equal((await stopped).code, 1001, 'the close of a gateway that stops');
  await soon(alice.connect(), 'open again');
  alice.publish('log', 'end');
  await mine.until((values) => values.at(-1) === 'end', 'delivered after the second restart');
  await Promise.all([alice.close(), bob.close()]);
}
