// Scenarios of WalkersClient against the real gateway.

import { Record, QUICK, check, equal, next, recordEvents, refused, soon, thrown } from './harness.js';

function clientOf({ library, config, WebSocket }, options = {}) {
  return new library.WalkersClient({ url: `${config.url}/websocket`, WebSocket, ...QUICK, ...options });
}

/** Ids, the change of users, notifications, walkers and their errors. */
export async function walkers(context) {
  const { library, control } = context;
  const token = await control('walkerToken');
  const user = clientOf(context, { token, channelId: 'room' });
  const guest = clientOf(context);
  const info = await soon(user.connect(), 'the ids');
  check(/^n::[0-9a-f]{24}$/.test(info.root_id) && info.root_id !== library.PUBLIC_ROOT, 'the root of a user');
  equal([info.channel_id, user.isAuthenticated], ['room', true], 'the channel');
  equal((await soon(guest.connect(), 'the ids')).root_id, library.PUBLIC_ROOT, 'the root of the public');
  equal((await soon(user.connectionInfo(), 'the ids on request')).client_id, info.client_id, 'the client id stays');

  const [chats, raw] = [new Record(), new Record()];
  user.onType('chat', (data) => chats.take(data));
  guest.on('message', (message) => raw.take(message));
  const chat = (n) => ({ type: 'chat', data: { n } });
  await guest.notifyUsers([info.root_id], chat(1));
  await guest.notifyChannels(['room', 'nowhere'], chat(2));
  await guest.notifyClients([info.client_id], chat(3));
  await chats.until(3, 'three notifications');
  equal(chats.values, [{ n: 1 }, { n: 2 }, { n: 3 }], 'in order');
  await user.notifyClients([guest.info.client_id], { any: ['shape'] });
  await raw.until((values) => values.some((value) => value.any), 'data of any shape');

  const result = await soon(user.runWalker('your_event_name', { val: 1 }), 'a walker');
  equal(result, { status: 200, reports: ['Do something!'] }, 'its result');
  const results = await soon(Promise.all([
    user.runWalker('your_event_name', { val: 2 }),
    user.runWalker('no_such_walker').catch((error) => error),
    user.runWalker('your_event_name', {}).catch((error) => error),
    user.runWalker('send_chat_to_group', { channel_id: 'room' }),
    user.runWalker('your_event_name', { val: '7' }),
  ]), 'several at once');
  equal([0, 3, 4].map((index) => results[index].reports), [['Do something!'], [], ['Do something!']], 'the good ones');
  equal(results[1].message, 'Invalid request! Please use valid walker event!', 'a walker that is not there');
  equal(results[2].message, 'Field required: val', 'a missing field');
  await chats.until(4, 'the notification of a walker');
  equal(chats.values[3], { message: 'string' }, 'the notification of a walker');
  await user.runWalker('send_chat_to_client', { client_id: info.client_id }, { response: false });
  await chats.until(5, 'a walker without a response');
  await refused(guest.runWalker('your_event_name', { val: 1 }), library.ServerError, 'a walker for users only');

  thrown(() => user.notifyUsers(['zzz'], {}), TypeError, 'an id that is none');
  thrown(() => user.notifyUsers([], {}), TypeError, 'no ids');
  thrown(() => user.notifyClients(['x'], 'text'), TypeError, 'data that is no object');

  equal((await soon(guest.changeUser(token), 'a login')).root_id, info.root_id, 'the same root for the same user');
  equal(guest.isAuthenticated, true, 'logged in');
  equal((await soon(guest.changeUser(null), 'a logout')).root_id, library.PUBLIC_ROOT, 'the public again');
  await refused(guest.changeUser('not.a.token'), library.AuthenticationError, 'a bad token');
  const doubtful = clientOf(context, { token: 'not.a.token' });
  const errors = recordEvents(doubtful, ['error']);
  equal((await soon(doubtful.connect(), 'a bad token')).root_id, library.PUBLIC_ROOT, 'the public root');
  check(errors.values[0][1] instanceof library.AuthenticationError, 'and an error that says so');
  await Promise.all([user, guest, doubtful].map((client) => client.close()));
}

/** A gateway whose public may only receive. */
export async function walkersReceive(context) {
  const { library, control } = context;
  const token = await control('walkerToken');
  const [user, guest] = [clientOf(context, { token, channelId: 'room' }), clientOf(context, { channelId: 'room' })];
  await soon(Promise.all([user.connect(), guest.connect()]), 'the ids');
  const chats = new Record();
  user.onType('chat', (data) => chats.take(data.n));
  guest.onType('chat', (data) => chats.take(data.n));
  const failed = next(guest, 'error');
  const run = guest.runWalker('your_event_name', { val: 1 }).catch((error) => error);
  await guest.notifyChannels(['room'], { type: 'chat', data: { n: 1 } });
  equal((await soon(failed, 'a refusal')).message, 'Permission denied', 'a refusal of what was sent');
  equal((await run).message, 'Event your_event_name requires to be authenticated!', 'and not of the walker');
  await user.notifyChannels(['room'], { type: 'chat', data: { n: 2 } });
  await chats.until(2, 'what a user sends');
  equal(chats.values, [2, 2], 'and nothing else');
  await soon(guest.changeUser(token), 'a login');
  await guest.notifyChannels(['room'], { type: 'chat', data: { n: 3 } });
  await chats.until(4, 'what the new user sends');
  await Promise.all([user, guest].map((client) => client.close()));
}

/** The gateway is killed and comes back under the client. */
export async function walkersRestart(context) {
  const { library, control } = context;
  const user = clientOf(context, { token: () => control('walkerToken') });
  const before = await soon(user.connect(), 'open');
  const chats = new Record();
  user.onType('chat', (data) => chats.take(data.n));
  await Promise.all([next(user, 'close'), control('kill')]);
  // The channel outlives the connection: its name was the gateway's choice, and others know it.
  for (let n = 0; n < 50; n++) user.notifyChannels([before.channel_id], { type: 'chat', data: { n } });
  const run = user.runWalker('your_event_name', { val: 1 });
  const opened = next(user, 'open');
  await control('start');
  const after = await opened;
  await chats.until(50, 'what was queued is delivered');
  equal(chats.values, Array.from({ length: 50 }, (_, number) => number), 'the queue, in order');
  equal((await soon(run, 'a walker from offline')).reports, ['Do something!'], 'run as the user that it was asked by');
  check(after.client_id !== before.client_id, 'a new client id');
  equal(after.channel_id, before.channel_id, 'the same channel');
  check(user.isAuthenticated, 'logged in again');
  await user.close();
  await refused(user.connectionInfo(), library.ClosedError, 'a closed client');
}
