// Scenarios of the official Socket.IO client against the real gateway, over the transports that the test names.

import { Failure, Record, check, equal, next, pause, soon } from './harness.js';

const WELCOME = 'Connected to YektaYar server';
const RECONNECT = { reconnectionDelay: 50, reconnectionDelayMax: 400 };
/** Within what one connection may have under way. */
const CALLS = 20;

function address({ config }) {
  return config.url.replace('ws', 'http');
}

/** The token of a new session. */
async function session(context) {
  const answer = await fetch(`${address(context)}/api/auth/acquire-session`, { method: 'POST' });
  return (await answer.json()).data.token;
}

/** A socket on a connection of its own. */
function socketOf(context, place, options) {
  const { transports } = context.config;
  return context.io(address(context) + place, { transports, forceNew: true, reconnection: false, ...options });
}

/** The data of the event that the gateway begins with. A refusal fails at once. */
async function welcomeOf(socket) {
  const refused = new Promise((_, reject) => {
    socket.once('connect_error', (error) => reject(new Error(`connect_error: ${error.message}`)));
  });
  const welcome = await soon(Promise.race([next(socket, 'connected'), refused]), 'the welcome');
  equal([welcome.message, welcome.isLoggedIn, welcome.socketId], [WELCOME, false, socket.id], 'the welcome');
  check(socket.connected && socket.id !== socket.io.engine.id, 'the id of the socket is not that of the engine');
  return welcome;
}

/** Resolves when the connection has come to the transport that it ends up on. */
async function settled({ config }, socket) {
  const { engine } = socket.io;
  const last = config.transports.at(-1);
  const isUpgrade = config.transports[0] === 'polling' && last === 'websocket';
  if (isUpgrade && engine.transport.name !== last) await next(engine, 'upgrade');
  equal(engine.transport.name, isUpgrade ? last : config.transports[0], 'the transport');
}

/** Sends an event and resolves with what comes back under the name. */
function ask(socket, reply, ...event) {
  const answer = next(socket, reply);
  socket.emit(...event);
  return answer;
}

/** The refusal of a socket. */
async function refusal(socket) {
  const error = await next(socket, 'connect_error');
  check(!socket.connected && !socket.active, 'a refused socket does not try again by itself');
  return error.message;
}

function isTime(text) {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text);
}

/** Every built-in event, answered with what PROTOCOLS 3.5 says. */
async function everyEvent(socket, token) {
  const unasked = new Record();
  socket.onAny((name) => unasked.take(name));
  check(isTime((await ask(socket, 'pong', 'ping')).timestamp), 'the pong');

  const { server, connection } = await ask(socket, 'status_response', 'status');
  equal([server.name, server.status], ['YektaYar API Server', 'running'], 'the status of the server');
  const rooms = [socket.id, `session:${token}`];
  equal([connection.socketId, connection.userId, connection.rooms], [socket.id, null, rooms], 'the status');

  const values = [1, -0.5, 'ß 😀 \u2028', null, true, [], {}, [3, { four: [null] }], { message: 'x'.repeat(70_000) }];
  for (const value of values) {
    const echo = await ask(socket, 'echo_response', 'echo', value);
    equal([echo.received, echo.socketId, isTime(echo.timestamp)], [value, socket.id, true], 'an echo');
  }
  const nothing = await ask(socket, 'echo_response', 'echo');
  check(!('received' in nothing), 'an echo of nothing');

  const info = await ask(socket, 'info_response', 'info');
  const { connected, transport, protocol } = info.websocket;
  equal([connected, transport, protocol], [true, socket.io.engine.transport.name, 4], 'the info on the transport');
  equal(info.session.sessionToken, `***${token.slice(-4)}`, 'the info on the session');

  const message = await ask(socket, 'message_received', 'message', { content: 'hello' });
  equal([message.success, message.data], [true, { content: 'hello' }], 'the confirmation of a message');

  const count = unasked.values.length;
  socket.emit('no-such-event', 1);
  await ask(socket, 'pong', 'ping');
  equal(unasked.values.slice(count), ['pong'], 'an event that nobody handles is passed over');
  socket.offAny();
}

function sameBytes(left, right) {
  const [one, two] = [new Uint8Array(left), new Uint8Array(right)];
  return one.length === two.length && one.every((byte, index) => byte === two[index]);
}

/** Bytes in both directions: alone, among other data, empty, many. */
async function binary(socket) {
  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const many = Uint8Array.from({ length: 200_003 }, (_, index) => index % 251);
  for (const bytes of [every, new Uint8Array(0), many]) {
    const { received } = await ask(socket, 'echo_response', 'echo', bytes);
    check(received instanceof ArrayBuffer && sameBytes(received, bytes), `${bytes.length} bytes`);
  }
  const { received } = await ask(socket, 'echo_response', 'echo', { a: every.buffer, b: ['text', every.slice(7, 9)] });
  check(sameBytes(received.a, every) && sameBytes(received.b[1], [7, 8]) && received.b[0] === 'text', 'bytes in data');
  const { data } = await ask(socket, 'message_received', 'message', { file: every });
  check(sameBytes(data.file, every), 'the confirmation of a message with bytes');
  equal((await ask(socket, 'echo_response', 'echo', 'text again')).received, 'text again', 'text after bytes');
}

/** A streamed reply, with another event answered while it is under way. */
async function chat(socket) {
  const [events, whole] = [[], next(socket, 'ai:response:complete')];
  const listener = (name, data) => events.push([name, data]);
  socket.onAny(listener);
  socket.emit('ai:chat', { message: 'Hello, AI! How are you today?', conversationHistory: [] });
  await next(socket, 'ai:response:start');
  socket.emit('echo', 'meanwhile');
  const { messageId, fullResponse } = await whole;
  const chunks = events.filter(([name]) => name === 'ai:response:chunk').map(([, data]) => data);
  equal(chunks.map((data) => data.chunk).join(''), fullResponse, 'the chunks make the reply');
  check(chunks.length > 1 && chunks.every((data) => data.messageId === messageId), 'several chunks of one reply');
  const names = events.map(([name]) => name);
  check(names.indexOf('echo_response') < names.indexOf('ai:response:complete'), 'an echo during the reply');
  equal([names[0], names.at(-1)], ['ai:response:start', 'ai:response:complete'], 'its first and last event');
  const { error } = await ask(socket, 'ai:response:error', 'ai:chat', { message: '' });
  equal(error, 'Message is required', 'a chat without a message');
  socket.offAny(listener);
}

/** Connects, uses every event, disconnects, and connects again. */
export async function socketIO(context) {
  const token = await session(context);
  const socket = socketOf(context, '', { auth: { token } });
  const first = await welcomeOf(socket);
  await settled(context, socket);
  await everyEvent(socket, token);
  await binary(socket);
  await chat(socket);

  const engine = socket.io.engine.id;
  const gone = next(socket, 'disconnect');
  socket.disconnect();
  equal(await gone, 'io client disconnect', 'the reason of a disconnect that was asked for');
  const again = welcomeOf(socket);
  socket.connect();
  check((await again).socketId !== first.socketId, 'a new socket id');
  check(socket.io.engine.id !== engine, 'a new session of the engine');
  equal((await ask(socket, 'echo_response', 'echo', 'again')).received, 'again', 'an echo after connecting again');
  socket.disconnect();
}

/** A socket past its welcome. With an upgrade: one that still polls, which is a race that the upgrade may win. */
async function early(context) {
  const [attemptsMax, token, isUpgrade] = [30, await session(context), context.config.transports.length > 1];
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const socket = socketOf(context, '', { auth: { token } });
    await welcomeOf(socket);
    if (!isUpgrade || socket.io.engine.transport.name === 'polling') return { socket, isUpgrade };
    socket.disconnect();
  }
  throw new Failure('every upgrade was done before the welcome');
}

/** A thousand echoes in order, from the welcome on: an upgrade happens meanwhile. */
export async function socketIOOrder(context) {
  const [messagesMin, afterUpgradeMin, burst] = [1_000, 100, 10];
  const { socket, isUpgrade } = await early(context);
  let [sent, sentAtUpgrade] = [0, null];
  socket.io.engine.on('upgrade', () => { sentAtUpgrade = sent; });
  const received = [];
  const all = new Record();
  socket.on('echo_response', (data) => all.take(received.push(data.received)));
  const isEnough = () => sent >= messagesMin && (!isUpgrade || sent >= (sentAtUpgrade ?? Infinity) + afterUpgradeMin);
  while (!isEnough()) {
    for (let count = 0; count < burst; count++) socket.emit('echo', sent++);
    await pause(0);
  }
  await all.until(sent, 'every echo');
  equal(received, Array.from({ length: sent }, (_, number) => number), 'each once, in order');
  if (isUpgrade) check(sentAtUpgrade > 0 && sentAtUpgrade < sent, 'some before the upgrade and some after it');
  await settled(context, socket);
  socket.disconnect();
}

/** Who is refused is told why, and may try again on the same connection. */
export async function socketIORefusals(context) {
  const token = await session(context);
  const wrong = socketOf(context, '', { auth: { token: 'no such token' } });
  equal(await refusal(wrong), 'Invalid or expired session token', 'a wrong token');
  wrong.auth = { token };
  const welcome = welcomeOf(wrong);
  wrong.connect();
  await welcome;
  // On a connection that others use, too: they notice nothing.
  const { engine } = wrong.io;
  const third = wrong.io.socket('/ws', { auth: { token: 'no such token' } });
  equal(await refusal(third), 'Invalid or expired session token', 'a wrong token in another namespace');
  const allowed = welcomeOf(third);
  third.auth = { token };
  third.connect();
  await allowed;
  equal((await ask(third, 'echo_response', 'echo', 3)).socketId, third.id, 'an echo in that namespace');
  check(wrong.io.engine === engine && wrong.connected, 'the connection was kept');
  third.disconnect();
  wrong.disconnect();

  const without = socketOf(context, '');
  equal(await refusal(without), 'Authentication token required', 'no token');
  without.disconnect();
  const elsewhere = socketOf(context, '/elsewhere', { auth: { token } });
  equal(await refusal(elsewhere), 'Invalid namespace', 'another namespace');
  elsewhere.disconnect();

  const query = socketOf(context, `?token=${token}`);
  await welcomeOf(query);
  query.disconnect();
  const both = socketOf(context, `?token=${token}`, { auth: { token: 'no such token' } });
  equal(await refusal(both), 'Invalid or expired session token', 'auth comes before the query');
  both.disconnect();
}

/** What the description of the events protocol shows: an address whose path the client takes for a namespace. */
export async function socketIOAddresses(context) {
  const token = await session(context);
  const { transports } = context.config;
  const local = address(context).replace('127.0.0.1', 'localhost');
  const socket = context.io(`${local}/socket.io/`, { auth: { token }, transports, forceNew: true });
  equal(socket.nsp, '/socket.io/', 'the path became the namespace');
  const names = ['pong', 'status_response', 'ai:response:start', 'ai:response:complete'];
  const answers = names.map((name) => next(socket, name));
  // All of this waits in the client until it is connected.
  socket.emit('ping');
  socket.emit('status');
  socket.emit('ai:chat', { message: 'Hello, AI!', conversationHistory: [] });
  await welcomeOf(socket);
  const [pong, status, start, complete] = await Promise.all(answers);
  check(isTime(pong.timestamp), 'the pong');
  equal(status.connection.socketId, socket.id, 'the status');
  equal(start.messageId, complete.messageId, 'one reply');
  await binary(socket);

  // A second namespace on the same connection, each with an id of its own; leaving one leaves the other.
  const root = socket.io.socket('/', { auth: { token } });
  await welcomeOf(root);
  check(root.id !== socket.id, 'two ids');
  equal((await ask(root, 'echo_response', 'echo', 'root')).socketId, root.id, 'an echo in the second namespace');
  socket.disconnect();
  equal((await ask(root, 'echo_response', 'echo', 'still here')).received, 'still here', 'the other one stays');
  root.disconnect();

  // Without a choice of transports: the client's own, which is polling and then an upgrade.
  const plain = context.io(local, { auth: { token }, forceNew: true });
  await welcomeOf(plain);
  if (plain.io.engine.transport.name !== 'websocket') await next(plain.io.engine, 'upgrade');
  equal((await ask(plain, 'echo_response', 'echo', 1)).received, 1, 'an echo');
  plain.disconnect();
}

/** The gateway dies and comes back: the client reconnects, gets another session, and sends what waited. */
export async function socketIORestart(context) {
  const { control } = context;
  const auth = (give) => {
    session(context).then((token) => give({ token }), () => give({ token: 'the gateway is away' }));
  };
  const socket = socketOf(context, '', { auth, reconnection: true, ...RECONNECT });
  const { socketId } = await welcomeOf(socket);
  await settled(context, socket);
  const received = new Record();
  socket.on('echo_response', (data) => received.take(data.received));
  const numbers = Array.from({ length: 50 }, (_, number) => number);
  const causes = ['transport close', 'transport error'];

  const lost = next(socket, 'disconnect');
  await control('kill');
  const reason = await lost;
  check(causes.includes(reason), `the reason of a loss: ${reason}`);
  for (const number of numbers) socket.emit('echo', number);
  // Attempts that fail meanwhile are told as refusals; the client goes on by itself.
  const back = next(socket, 'connected');
  await control('start');
  check((await back).socketId !== socketId, 'a new socket id');
  await received.until(numbers.length, 'what was sent while the gateway was away');
  equal(received.values, numbers, 'in order');

  const stopped = next(socket, 'disconnect');
  const again = next(socket, 'connected');
  await control('restart');
  check(causes.includes(await stopped), 'the reason of a stop');
  await again;
  await settled(context, socket);
  equal((await ask(socket, 'echo_response', 'echo', 'end')).received, 'end', 'an echo after the second restart');
  socket.disconnect();
}

/** From a page of another origin, with credentials and a header that a browser asks about beforehand. */
export async function socketIOOrigins(context) {
  const token = await session(context);
  const extraHeaders = { 'X-Example': 'asked about' };
  const socket = socketOf(context, '', { auth: { token }, withCredentials: true, extraHeaders });
  await welcomeOf(socket);
  await settled(context, socket);
  equal((await ask(socket, 'echo_response', 'echo', 'across')).received, 'across', 'an echo');
  socket.disconnect();
}

/** A page of an origin that the gateway does not list: nothing is let in. */
export async function socketIOForeignOrigin(context) {
  const socket = socketOf(context, '', { auth: { token: 'any' } });
  const { message } = await next(socket, 'connect_error');
  const expected = context.config.transports[0] === 'polling' ? 'xhr poll error' : 'websocket error';
  equal(message, expected, 'the transport is refused, before any token is looked at');
  socket.disconnect();
}

/** The gateway's pings are answered for as long as it takes, while polls wait, too. */
export async function socketIOHeartbeat(context) {
  const socket = socketOf(context, '', { auth: { token: await session(context) } });
  const pings = new Record();
  const losses = new Record();
  socket.on('disconnect', losses.take);
  socket.io.on('ping', () => pings.take('ping'));
  await welcomeOf(socket);
  await pings.until(5, 'five pings');
  await settled(context, socket);
  equal((await ask(socket, 'echo_response', 'echo', 'still here')).received, 'still here', 'an echo');
  await pings.until(pings.values.length + 2, 'two more');
  equal(losses.values, [], 'nothing was lost');
  socket.disconnect();
}

/** A packet beyond what the gateway has announced; then one within it. */
export async function socketIOTooLong(context) {
  const [announced, within] = [1_000_000, 900_000];
  const auth = { token: await session(context) };
  const socket = socketOf(context, '', { auth, reconnection: true, ...RECONNECT });
  const { socketId } = await welcomeOf(socket);
  await settled(context, socket);
  const back = next(socket, 'connected');
  const gone = next(socket, 'disconnect');
  socket.emit('echo', 'x'.repeat(announced + 1));
  const reason = await gone;
  check(['transport close', 'transport error'].includes(reason), `the reason: ${reason}`);
  check((await back).socketId !== socketId, 'a new socket id');
  const { received } = await ask(socket, 'echo_response', 'echo', 'y'.repeat(within));
  equal(received.length, within, 'a long one');
  socket.disconnect();
}

/** Many clients in one program, all connecting, upgrading, sending and leaving at once, twice. */
export async function socketIOCrowd(context) {
  const [clients, echoes, bytesEvery] = [40, 100, 10];
  const token = await session(context);
  const one = async (client) => {
    const socket = socketOf(context, '', { auth: { token } });
    const received = new Record();
    socket.on('echo_response', ({ received: data, socketId }) => {
      const isBytes = data instanceof ArrayBuffer;
      received.take([isBytes ? new Uint8Array(data)[1] : data.number, isBytes ? client : data.client, socketId]);
    });
    await welcomeOf(socket);
    const { id } = socket;
    for (let number = 0; number < echoes; number++) {
      const isBytes = number % bytesEvery === 0;
      socket.emit('echo', isBytes ? Uint8Array.of(client, number) : { client, number });
      if (number % 7 === 0) await pause(1);
    }
    await received.until(echoes, `the echoes of client ${client}`);
    equal(received.values, Array.from({ length: echoes }, (_, number) => [number, client, id]), 'its own, in order');
    socket.disconnect();
  };
  for (let round = 0; round < 2; round++) {
    await Promise.all(Array.from({ length: clients }, (_, client) => one(client)));
  }
}

/** Against an application's handlers: acknowledgements in both directions, bytes, rooms, errors. */
export async function socketIOHandlers(context) {
  const token = await session(context);
  const socket = socketOf(context, '', { auth: { token } });
  await welcomeOf(socket);
  const ask = (...event) => soon(socket.emitWithAck(...event), `the acknowledgement of ${event[0]}`);
  equal(await ask('order', { id: 7 }), { event: 'order', data: { id: 7 } }, 'an acknowledgement');
  await settled(context, socket);
  const many = Array.from({ length: CALLS }, (_, number) => ask('order', number));
  const answers = await Promise.all(many);
  equal(answers.map(({ data }) => data), Array.from({ length: CALLS }, (_, number) => number), 'each its own');

  // The gateway asks the client while the client waits for the gateway.
  socket.on('confirm', (question, answer) => answer({ yes: question }));
  equal(await ask('purchase', 'a bird'), { yes: { item: 'a bird' } }, 'the client\'s acknowledgement, given back');

  const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  equal(await ask('count', every, { more: every.slice(0, 3) }), [256, 3], 'the lengths of two attachments');

  const other = socketOf(context, '/socket.io/', { auth: { token } });
  await welcomeOf(other);
  const news = [next(socket, 'news'), next(other, 'news')];
  await ask('join', 'birds');
  await soon(other.emitWithAck('join', 'birds'), 'the second one joins');
  socket.emit('tell', 'birds');
  equal(await Promise.all(news), [{ text: 'for birds' }, { text: 'for birds' }], 'a room across namespaces');
  let own = 0;
  socket.on('drawn', () => { own += 1; });
  const drawn = next(other, 'drawn');
  await ask('draw', { name: 'a wing', pixels: every, more: [new Uint8Array(5_000).fill(7)] });
  const { name, pixels, more } = await drawn;
  equal([name, [...new Uint8Array(pixels)], new Uint8Array(more[0]).length], ['a wing', [...every], 5_000], 'bytes');
  await ask('draw', null);
  equal(own, 0, 'who sent it does not get it');
  const failure = next(socket, 'error');
  socket.emit('fail');
  check((await failure).error, 'a handler that fails');
  for (const one of [socket, other]) one.disconnect();
}
