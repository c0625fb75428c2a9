// Clients of a Martlet gateway for browsers and Node: one reconnecting connection, and a class for each dialect on top
// of it. No dependencies, one file. `docs/CLIENTS.md` shows the use, `martlet.d.ts` has the types.

/** Limits and times that every client has; each may be given as an option of the same name. */
export const DEFAULTS = Object.freeze({
  /** From the start of an attempt, the token provider included, to the gateway's welcome. */
  connectMilliseconds: 10_000,
  /** The pause before attempt `n` is a random part of `base * 2^n`, never more than `max`: full jitter, so that clients
   * which lost the same gateway do not come back in step. */
  backoffBaseMilliseconds: 1_000,
  backoffMaxMilliseconds: 30_000,
  /** A connection that stood for so long was a success: the pauses start small again. */
  backoffStableMilliseconds: 60_000,
  /** Where a close code says "reconnect at once", the reconnections of many clients are spread over this time. */
  spreadMilliseconds: 1_000,
  /** Failed attempts in a row after which the client gives up. */
  attemptsMax: Infinity,
  /** Messages that wait while there is no connection. The oldest stay, newer ones are refused with `QueueFullError`. */
  queueMessagesMax: 1_000,
  /** UTF-16 units of all waiting messages together: what the gateway would queue for a slow client. */
  queueCharactersMax: 4_194_304,
  /** Bytes that a socket may hold unsent while connected; beyond them `QueueFullError`. */
  bufferedBytesMax: 16_777_216,
  /** The gateway's own limit of a message; a longer one would only end the connection with 1009. */
  messageBytesMax: 1_048_576,
  /** After so long without anything from the gateway it is asked for a sign of life, since a page cannot see the pings
   * of the protocol. 0: never. */
  heartbeatMilliseconds: 25_000,
  /** The connection counts as lost when nothing at all came within this time after the question. */
  answerMilliseconds: 10_000,
  /** What a walker, or the next part of an AI reply, may take. */
  callMilliseconds: 60_000,
  /** How long `close()` waits for the gateway's close frame. */
  closeMilliseconds: 2_000,
  /** How long before its end a token that was got with a password is replaced. */
  refreshMarginMilliseconds: 60_000,
  /** UTF-16 units of an AI reply that wait for their reader. */
  streamCharactersMax: 1_048_576,
});

/** What to say of a token that makes nobody. */
const TOKEN_REFUSED = 'the gateway does not accept the token: this connection is public';

/** The root of everybody who is not logged in (walkers). */
export const PUBLIC_ROOT = 'n::000000000000000000000001';
const ROOT_ID = /^n:[^:]*:[0-9a-f]{24}$/i;

/** `setTimeout` takes no more. */
const TIMER_MAX = 2_147_483_647;
const OPEN = 1;
const noop = () => {};
/** Milliseconds of a clock that nobody sets. */
const now = () => performance.now();

// ---------------------------------------------------------------------------------------------------------- errors

/** What every error of this module is. */
export class MartletError extends Error {
  constructor(message, details = {}) {
    super(message);
    this.name = new.target.name;
    Object.assign(this, details);
  }
}
/** No connection: `code` and `reason` of the close, `status` of a refusal where the WebSocket class tells it. */
export class ConnectionError extends MartletError {}
/** The connection ended before the answer came. Whether the gateway acted on the question is not known. */
export class ConnectionLostError extends MartletError {}
/** The application closed the client, or took back what it had asked for. */
export class ClosedError extends MartletError {}
/** The message was not taken, because too much is waiting already. */
export class QueueFullError extends MartletError {}
/** The message was not taken, because the gateway would end the connection for its length. */
export class MessageTooBigError extends MartletError {}
/** No answer in time. */
export class TimeoutError extends MartletError {}
/** A credential that is not accepted; the same again would not be either. `status` is that of the HTTP answer. */
export class AuthenticationError extends MartletError {}
/** The gateway's answer is an error; `data` is the whole of it. */
export class ServerError extends MartletError {}

// ---------------------------------------------------------------------------------------------------------- helpers

/** What to do after a close (docs/CLOSE_CODES.md): `stop`, `backOff` or `atOnce`. */
export function closeAdvice(code, reason = '') {
  switch (code) {
    case 1001: // The gateway is stopping; its successor is perhaps there already.
    case 1012:
      return 'atOnce';
    case 1008: // The code of several reasons; only one of them passes with time.
      return reason === 'rate limit' ? 'backOff' : 'stop';
    case 1000: // The gateway is done with this client; the same again would end the same way.
    case 1002:
    case 1003:
    case 1007:
    case 1009:
    case 1010:
      return 'stop'; // Something is wrong with what this side sends.
    default:
      return 'backOff';
  }
}

/** The pause before an attempt, when `pauses` have been before it. */
export function backoffMilliseconds(pauses, limits = DEFAULTS, random = Math.random) {
  // 2^30 is beyond every maximum; without the bound the product would become Infinity, and Infinity * 0 is no number.
  const ceiling = limits.backoffBaseMilliseconds * 2 ** Math.min(pauses, 30);
  return random() * Math.min(ceiling, limits.backoffMaxMilliseconds);
}

/** The claims of a JSON Web Token, unverified; null for anything else. */
export function tokenClaims(token) {
  try {
    const text = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return claims !== null && typeof claims === 'object' && !Array.isArray(claims) ? claims : null;
  } catch {
    return null;
  }
}

/** The WebSocket class to use: the one given, else the platform's. */
export function webSocketClass(given) {
  const found = given ?? globalThis.WebSocket;
  if (typeof found !== 'function') {
    throw new TypeError('no WebSocket here: start Node 20 with --experimental-websocket, or give a class');
  }
  return found;
}

/** Asks for a token of the sessions dialect. `AuthenticationError` when asking again would not help. */
export async function requestSessionToken(authUrl, credentials, options = {}) {
  const { username, password, sessionId } = credentials;
  const answer = await (options.fetch ?? globalThis.fetch)(authUrl, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password, session_id: sessionId }),
    signal: options.signal,
  });
  const { token, expires_in: expiresInSeconds } = await jsonAnswer(answer, 'the token request');
  if (typeof token !== 'string' || token === '') throw new MartletError('the token request brought no token');
  return { token, expiresInSeconds: Number.isFinite(expiresInSeconds) ? expiresInSeconds : 0 };
}

/** The JSON body of a good answer; an error that tells whether trying again has a point. */
async function jsonAnswer(answer, what) {
  if (answer.ok) return await answer.json();
  const text = (await answer.text().catch(() => '')).slice(0, 200);
  const message = `${what} was answered with ${answer.status} ${text}`.trimEnd();
  throw isFinal(answer.status)
    ? new AuthenticationError(message, { status: answer.status })
    : new MartletError(message, { status: answer.status });
}

/** Whether a refusal would be the same next time. */
function isFinal(status) {
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

function deferred() {
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

/** Rejects without troubling an application that did not keep the promise: for what the end of a connection brings. */
function rejectQuietly(target, error) {
  target.promise?.catch(noop);
  target.reject(error);
}

function withQuery(url, parameters) {
  const result = new URL(url);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') result.searchParams.set(name, value);
  }
  return result.href;
}

/** The same server's HTTP address of a path. */
function httpAddress(url, path) {
  const result = new URL(path, url);
  result.protocol = result.protocol === 'wss:' ? 'https:' : 'http:';
  result.search = '';
  return result.href;
}

function requireFunction(handler) {
  if (typeof handler !== 'function') throw new TypeError('the handler is not a function');
}

function requireText(value, what) {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${what} must be a string that is not empty`);
}

/** Listeners by name. One that throws harms neither the others nor the connection. */
class Listeners {
  #lists = new Map();

  add(name, handler) {
    requireFunction(handler);
    if (!this.#lists.has(name)) this.#lists.set(name, new Set());
    this.#lists.get(name).add(handler);
    return () => this.remove(name, handler);
  }

  remove(name, handler) {
    const list = this.#lists.get(name);
    if (list?.delete(handler) && list.size === 0) this.#lists.delete(name);
  }

  has(name) {
    return this.#lists.has(name);
  }

  call(name, ...values) {
    for (const handler of [...(this.#lists.get(name) ?? [])]) guarded(handler, values);
  }
}

/** Calls a handler of the application. Its failure, now or later, is reported where the platform reports failures. */
function guarded(handler, values) {
  try {
    const result = handler(...values);
    if (typeof result?.then === 'function') result.then(noop, report);
  } catch (error) {
    report(error);
  }
}

function report(error) {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else console.error('martlet: a handler failed:', error);
}

/** Questions whose answers come in the order of the questions. */
class Answers {
  #waiting = [];

  get length() {
    return this.#waiting.length;
  }

  push(target, milliseconds = 0) {
    const entry = { target, timer: null };
    if (milliseconds > 0) {
      // The entry stays: its answer may still come, and must not be taken for that of the next question.
      const late = () => target.reject(new TimeoutError(`no answer within ${milliseconds} ms`));
      entry.timer = setTimeout(late, Math.min(milliseconds, TIMER_MAX));
    }
    this.#waiting.push(entry);
  }

  /** The oldest question, which is no longer waiting then. */
  take() {
    const entry = this.#waiting.shift();
    if (entry) clearTimeout(entry.timer);
    return entry?.target;
  }

  rejectAll(error) {
    for (let target = this.take(); target; target = this.take()) rejectQuietly(target, error);
  }
}

// ------------------------------------------------------------------------------------------- the shared connection

/**
 * One connection that comes back. A dialect overrides the methods with an underscore.
 *
 * Events: `open` (welcome), `close` ({ code, reason, wasClean, willReconnect }), `reconnecting` ({ attempt,
 * delayMilliseconds, code, reason }), `error` (Error), `message` (every message of the gateway).
 */
export class ReconnectingClient {
  #options;
  #listeners = new Listeners();
  /** idle → connecting → open → waiting → connecting …; closed when the application or a refusal ended it. */
  #state = 'idle';
  /** Grows with each attempt, so that what an earlier one still brings is known to be stale. */
  #generation = 0;
  /** Failed attempts in a row. */
  #failures = 0;
  /** Pauses since the last connection that stood for a while. */
  #pauses = 0;
  #socket = null;
  #socketError = null;
  #openedAt = 0;
  #receivedAt = 0;
  #retryTimer = null;
  #connectTimer = null;
  #heartbeatTimer = null;
  #opening = null;
  #queue = [];
  #queueCharacters = 0;
  #signs = new Answers();
  #token;
  #tokenProvider = null;
  #abort = null;
  #online = () => {
    if (this.#state === 'waiting') this.#attempt();
  };

  constructor(url, options = {}) {
    const { protocol } = new URL(url);
    if (protocol !== 'ws:' && protocol !== 'wss:') throw new TypeError(`not a WebSocket address: ${url}`);
    for (const name of Object.keys(DEFAULTS)) {
      const value = options[name];
      const isGood = value === undefined || (typeof value === 'number' && value >= 0);
      if (!isGood) throw new TypeError(`${name} must be a number that is not negative`);
    }
    // An option that is given as undefined is one that is not given.
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.url = String(url);
    this.#options = Object.freeze({ ...DEFAULTS, ...given, WebSocket: webSocketClass(options.WebSocket) });
    if (typeof options.token === 'function') this.#tokenProvider = options.token;
    else this.#token = options.token;
  }

  /** Limits, times and what else was given. */
  get options() {
    return this.#options;
  }

  /** `idle`, `connecting`, `open`, `waiting` (for the next attempt) or `closed`. */
  get state() {
    return this.#state;
  }

  /** Messages that wait for a connection. */
  get queued() {
    return this.#queue.length;
  }

  /** Connects and stays connected. Resolves with the welcome when open; rejects when the client stops for good. */
  connect() {
    if (this.#state === 'idle' || this.#state === 'closed') {
      this.#failures = 0;
      this.#pauses = 0;
      this.#opening = deferred();
      this.#opening.promise.catch(noop);
      globalThis.addEventListener?.('online', this.#online);
      this.#attempt();
    }
    return this.#opening.promise;
  }

  /** Ends the connection and the reconnecting; what still waits gets a `ClosedError`. Resolves when it is gone. */
  close(code = 1000, reason = '') {
    const socket = this.#socket;
    if (this.#state === 'closed' || this.#state === 'idle') {
      this.#end(new ClosedError('the client was closed'));
      return Promise.resolve();
    }
    this.#end(new ClosedError('the client was closed'));
    const told = { code, reason, wasClean: true, willReconnect: false };
    if (!socket) {
      this._emit('close', told);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const finish = (event) => {
        clearTimeout(timer);
        discard(socket);
        this._emit('close', { ...told, wasClean: event?.wasClean ?? false });
        resolve();
      };
      const timer = setTimeout(() => {
        socket.terminate?.();
        finish();
      }, this.#options.closeMilliseconds);
      socket.onopen = socket.onmessage = null;
      socket.onerror = noop;
      socket.onclose = finish;
      socket.close(code, reason);
    });
  }

  /** Calls `handler` at each event of this name; the result takes it away again. */
  on(event, handler) {
    return this.#listeners.add(event, handler);
  }

  /** Calls `handler` at the next event of this name. */
  once(event, handler) {
    requireFunction(handler);
    const remove = this.on(event, (...values) => {
      remove();
      return handler(...values);
    });
    return remove;
  }

  off(event, handler) {
    this.#listeners.remove(event, handler);
  }

  /** Resolves when the gateway has worked through everything that was sent before. */
  flush() {
    const done = deferred();
    this._send(this._question(), () => this.#signs.push(done)).catch((error) => rejectQuietly(done, error));
    return done.promise;
  }

  // What a dialect overrides.

  /** The address of the next attempt. `AuthenticationError` stops the client. */
  async _address() {
    return withQuery(this.url, { token: await this._currentToken() });
  }

  /** The socket is open; nothing was exchanged yet. */
  _opened() {}

  /** A message: parsed where it is JSON, and as it came. */
  _received(_message, _text) {}

  /** Open again: repeat the subscriptions with `_transmit`. */
  _resubscribe() {}

  /** The connection is gone; `isFinal` when none will follow. */
  _lost(_error, _isFinal) {}

  /** Whether the next attempt may come with another token than this one. */
  get _renewsToken() {
    return this.#tokenProvider !== null;
  }

  /** The message to ask for a sign of life; the dialect reports the answer with `_answered`. */
  _question() {
    throw new TypeError('a dialect must say how to ask');
  }

  /** An attempt failed before the welcome: the place to doubt a token that this side got by itself. */
  _refused() {}

  // What a dialect calls.

  _emit(event, value) {
    this.#listeners.call(event, value);
  }

  /** The token: from the provider, which is asked once for each attempt, or as it was given. */
  async _currentToken() {
    return this.#tokenProvider ? await this.#tokenProvider() : this.#token;
  }

  _replaceToken(token) {
    this.#tokenProvider = typeof token === 'function' ? token : null;
    this.#token = typeof token === 'function' ? undefined : token;
  }

  /** Ends with the current attempt: for `fetch`. */
  get _signal() {
    return this.#abort?.signal;
  }

  /** Open for the application from here on: subscriptions again, then what waited, then the news of it. */
  _ready(welcome) {
    if (this.#state !== 'connecting' || !this.#socket) return;
    clearTimeout(this.#connectTimer);
    this.#state = 'open';
    this.#failures = 0;
    this.#openedAt = this.#receivedAt = now();
    this._resubscribe();
    this.#flushQueue();
    this.#scheduleHeartbeat(this.#options.heartbeatMilliseconds);
    this.#opening.resolve(welcome);
    this._emit('open', welcome);
  }

  /** A sign of life that `_question` asked for. */
  _answered(value) {
    this.#signs.take()?.resolve(value);
  }

  /** The gateway refuses what it was asked for, and sends an error in place of the sign of life. */
  _unanswered(error) {
    this.#signs.take()?.reject(error);
  }

  /** The next sign of life settles `target`. */
  _expectSign(target) {
    this.#signs.push(target);
  }

  /** Writes to the socket past the queue; false when it takes nothing any more. */
  _transmit(text) {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** Sends now or, while there is no connection, later. `onSent` runs, and this resolves, when the socket has it. */
  _send(text, onSent = noop) {
    if (this.#state === 'closed') return Promise.reject(new ClosedError('the client is closed'));
    if (isLonger(text, this.#options.messageBytesMax)) {
      return Promise.reject(new MessageTooBigError(`over ${this.#options.messageBytesMax} bytes`));
    }
    if (this.#state === 'open' && this.#socket.readyState === OPEN) {
      if (this.#socket.bufferedAmount > this.#options.bufferedBytesMax) {
        return Promise.reject(new QueueFullError(`over ${this.#options.bufferedBytesMax} bytes are still unsent`));
      }
      this.#socket.send(text);
      onSent();
      return Promise.resolve();
    }
    const { queueMessagesMax, queueCharactersMax } = this.#options;
    if (this.#queue.length >= queueMessagesMax || this.#queueCharacters + text.length > queueCharactersMax) {
      return Promise.reject(new QueueFullError(`${this.#queue.length} messages wait for a connection already`));
    }
    const entry = { text, onSent, sent: deferred() };
    this.#queue.push(entry);
    this.#queueCharacters += text.length;
    return entry.sent.promise;
  }

  /** Ends for good because of something that will not change. */
  _stop(error, told = {}) {
    const socket = this.#socket;
    this.#end(error);
    if (socket) abandon(socket);
    this._emit('error', error);
    this._emit('close', { code: 1006, reason: error.message, wasClean: false, ...told, willReconnect: false });
  }

  async #attempt() {
    clearTimeout(this.#retryTimer);
    const generation = ++this.#generation;
    this.#state = 'connecting';
    this.#socketError = null;
    this.#abort = new AbortController();
    const limit = this.#options.connectMilliseconds;
    this.#connectTimer = setTimeout(() => this.#failed(new TimeoutError(`no welcome within ${limit} ms`)), limit);
    let address;
    try {
      address = await this._address();
    } catch (error) {
      if (generation === this.#generation) this.#failed(error);
      return;
    }
    if (generation !== this.#generation) return;
    try {
      this.#listen(new this.#options.WebSocket(address));
    } catch (error) {
      // Not a matter of the network: an address or a policy of the page that will be the same next time.
      this._stop(error);
    }
  }

  #listen(socket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    let hasOpened = false;
    socket.onopen = () => {
      hasOpened = true;
      this._opened();
    };
    socket.onmessage = ({ data }) => {
      this.#receivedAt = now();
      const message = typeof data === 'string' ? parsed(data) : data;
      this._received(message, data);
      this._emit('message', message);
    };
    socket.onerror = (event) => {
      this.#socketError = event.error ?? (event.message ? new Error(event.message) : null);
      // Node's own class reports a failed handshake so, and no close after it.
      if (!hasOpened) this.#ended({ code: 1006, reason: '', wasClean: false });
    };
    socket.onclose = ({ code, reason, wasClean }) => this.#ended({ code, reason: String(reason ?? ''), wasClean });
  }

  /** The attempt came to nothing, or the connection turned out to be dead. */
  #failed(error) {
    if (error instanceof AuthenticationError) {
      this._stop(error);
      return;
    }
    const socket = this.#socket;
    this.#ended({ code: 1006, reason: error.message, wasClean: false }, error);
    if (socket) abandon(socket);
  }

  /** The socket is gone. Decides whether, and when, there is a next one. */
  #ended(told, cause = null) {
    const wasOpen = this.#state === 'open';
    if (this.#socket) discard(this.#socket);
    this.#clear();
    if (!wasOpen) this.#failures += 1;
    else if (now() - this.#openedAt >= this.#options.backoffStableMilliseconds) this.#pauses = 0;
    const status = Number(/Unexpected server response: (\d{3})/.exec(this.#socketError?.message ?? '')?.[1] ?? 0);
    const advice = closeAdvice(told.code, told.reason);
    const text = [told.code, told.reason || this.#socketError?.message || 'the connection ended'].join(' ');
    const error = cause ?? new ConnectionError(text, { ...told, ...(status ? { status } : {}) });
    this.#loseAnswers(new ConnectionLostError(`the connection ended before the answer: ${text}`), false);
    if (!wasOpen) this._refused();
    // Another token may be a better one; anything else will be refused again.
    const isRefused = isFinal(status) && !(this._renewsToken && (status === 401 || status === 403));
    if (advice === 'stop' || isRefused || (!wasOpen && this.#failures >= this.#options.attemptsMax)) {
      this._stop(error, told);
      return;
    }
    if (wasOpen) {
      this.#opening = deferred();
      this.#opening.promise.catch(noop);
    }
    const isAtOnce = advice === 'atOnce' && this.#pauses === 0;
    const delayMilliseconds = isAtOnce
      ? Math.random() * this.#options.spreadMilliseconds
      : backoffMilliseconds(this.#pauses, this.#options);
    this.#pauses += 1;
    this.#state = 'waiting';
    this.#retryTimer = setTimeout(() => this.#attempt(), Math.min(delayMilliseconds, TIMER_MAX));
    // A listener may close the client: the timer is set, so that it can be cleared.
    const attempt = this.#pauses;
    if (wasOpen) this._emit('close', { ...told, willReconnect: true });
    else this._emit('error', error);
    if (this.#state === 'waiting') {
      this._emit('reconnecting', { attempt, delayMilliseconds, code: told.code, reason: told.reason });
    }
  }

  /** No socket, no timer, no attempt under way. */
  #clear() {
    this.#generation += 1;
    this.#socket = null;
    this.#abort?.abort();
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#heartbeatTimer);
    clearTimeout(this.#retryTimer);
  }

  /** Closed for good; everybody who waits learns it. */
  #end(error) {
    if (this.#socket) discard(this.#socket);
    this.#clear();
    this.#state = 'closed';
    globalThis.removeEventListener?.('online', this.#online);
    const queue = this.#queue;
    this.#queue = [];
    this.#queueCharacters = 0;
    for (const entry of queue) rejectQuietly(entry.sent, error);
    this.#loseAnswers(error, true);
    this.#opening?.reject(error);
  }

  #loseAnswers(error, isFinal) {
    this.#signs.rejectAll(error);
    this._lost(error, isFinal);
  }

  #flushQueue() {
    let count = 0;
    for (const entry of this.#queue) {
      if (!this._transmit(entry.text)) break;
      count += 1;
      this.#queueCharacters -= entry.text.length;
      entry.onSent();
      entry.sent.resolve();
    }
    this.#queue.splice(0, count);
  }

  #scheduleHeartbeat(milliseconds) {
    if (this.#options.heartbeatMilliseconds === 0) return;
    this.#heartbeatTimer = setTimeout(() => this.#heartbeat(), Math.min(milliseconds, TIMER_MAX));
  }

  #heartbeat() {
    const { heartbeatMilliseconds, answerMilliseconds } = this.#options;
    const quiet = now() - this.#receivedAt;
    if (quiet < heartbeatMilliseconds) {
      this.#scheduleHeartbeat(heartbeatMilliseconds - quiet);
      return;
    }
    const asked = this.#receivedAt;
    const sign = deferred();
    if (this._transmit(this._question())) this.#signs.push(sign);
    this.#heartbeatTimer = setTimeout(() => {
      if (this.#receivedAt === asked) this.#failed(new TimeoutError('the gateway fell silent'));
      else this.#scheduleHeartbeat(heartbeatMilliseconds);
    }, answerMilliseconds);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Whether a text has more bytes in UTF-8. A UTF-16 unit is at most three: mostly there is nothing to encode. */
function isLonger(text, bytes) {
  return text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes;
}

/** Nothing of this socket is heard any more. The `ws` package throws for an error that nobody listens to. */
function discard(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.onerror = noop;
}

/** Lets go of a socket whose other side may be dead. */
function abandon(socket) {
  discard(socket);
  try {
    if (typeof socket.terminate === 'function') socket.terminate();
    else socket.close();
  } catch {
    // It is gone already.
  }
}

// --------------------------------------------------------------------------------------------------------- channels

/** Errors that answer a subscribe; all others are told as `error` only. */
const SUBSCRIBE_ERRORS = new Set(['Missing channel', 'Invalid channel', 'Invalid filters', 'Too many subscriptions']);

/** Whether data passes filters as the gateway reads them (PROTOCOLS 2.3). */
export function matchesFilters(data, filters) {
  if (filters === undefined || filters === null) return true;
  return Object.entries(filters).every(([name, wanted]) => {
    if (data === null || typeof data !== 'object' || Array.isArray(data) || !Object.hasOwn(data, name)) return false;
    const value = data[name];
    return Array.isArray(wanted) ? wanted.some((one) => isEqual(value, one)) : isEqual(value, wanted);
  });
}

function isEqual(left, right) {
  if (left === right) return true;
  if (left === null || right === null || typeof left !== 'object' || typeof right !== 'object') return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && isEqual(left[name], right[name]));
}

/** The channels dialect: subscribe with filters, publish, broadcasts of the gateway. */
export class ChannelsClient extends ReconnectingClient {
  /** Channel → subscriptions of the application. */
  #channels = new Map();
  #broadcasts = new Listeners();
  #acknowledgements = new Answers();

  /** The user of the token, as the gateway named it. */
  userId = undefined;

  constructor(options) {
    super(options.url, options);
  }

  /**
   * Takes messages and broadcasts of a channel, after each reconnection too: `subscribe(channel, handler)` or
   * `subscribe(channel, filters, handler)`. `handler(data, message)`. Resolves with the subscription when acknowledged.
   */
  subscribe(channel, filters, handler) {
    if (typeof filters === 'function' && handler === undefined) [filters, handler] = [undefined, filters];
    requireText(channel, 'the channel');
    requireFunction(handler);
    if (filters === null) filters = undefined;
    if (filters !== undefined && (typeof filters !== 'object' || Array.isArray(filters))) {
      throw new TypeError('filters must be an object');
    }
    // Its own copy: what the application changes later must not differ from what the gateway was told.
    const text = filters === undefined ? '' : JSON.stringify(filters);
    const entry = { channel, handler, text: text === '{}' ? '' : text, acknowledged: deferred() };
    entry.filters = entry.text === '' ? undefined : JSON.parse(text);
    entry.subscription = { channel, filters: entry.filters, unsubscribe: () => this.#remove(channel, [entry]) };
    if (!this.#channels.has(channel)) this.#channels.set(channel, new Set());
    this.#channels.get(channel).add(entry);
    if (this.state === 'open') this.#ask(channel, entry.text, [entry]);
    return entry.acknowledged.promise;
  }

  /** Ends all subscriptions of this client to a channel. Resolves when acknowledged. */
  unsubscribe(channel) {
    requireText(channel, 'the channel');
    return this.#remove(channel, [...(this.#channels.get(channel) ?? [])]);
  }

  /** Sends a JSON value to all on a channel. Resolves when handed to the socket; `flush()` waits for the gateway. */
  publish(channel, payload) {
    requireText(channel, 'the channel');
    return this._send(JSON.stringify({ action: 'publish', channel, payload }));
  }

  /** Calls `handler(data, message)` for what the gateway itself says on a channel this client is subscribed to. */
  onBroadcast(channel, handler) {
    requireText(channel, 'the channel');
    return this.#broadcasts.add(channel, handler);
  }

  _question() {
    return '{"action":"ping"}';
  }

  _received(message) {
    switch (message?.type) {
      case 'connected':
        this.userId = message.userId;
        this._ready(message);
        break;
      case 'message':
        this.#deliver(message);
        break;
      case 'broadcast':
        this.#deliver(message);
        if (this.#channels.has(message.channel)) this.#broadcasts.call(message.channel, message.data, message);
        break;
      case 'subscribed':
      case 'unsubscribed':
        this.#acknowledgements.take()?.resolve();
        break;
      case 'pong':
        this._answered(message.timestamp);
        break;
      case 'error':
        this.#refuse(new ServerError(String(message.message), { data: message }));
        break;
    }
  }

  _resubscribe() {
    for (const [channel, entries] of this.#channels) {
      const byFilters = new Map();
      for (const entry of entries) byFilters.set(entry.text, [...(byFilters.get(entry.text) ?? []), entry]);
      // One without filters takes everything: the others need not be told.
      if (byFilters.has('')) this.#ask(channel, '', [...entries]);
      else for (const [text, same] of byFilters) this.#ask(channel, text, same);
    }
  }

  _lost(error, isFinal) {
    // The next connection repeats what is still wanted; what was being left is left.
    for (let target = this.#acknowledgements.take(); target; target = this.#acknowledgements.take()) target.lost();
    if (!isFinal) return;
    const entries = [...this.#channels.values()].flatMap((set) => [...set]);
    this.#channels.clear();
    for (const entry of entries) rejectQuietly(entry.acknowledged, error);
  }

  #ask(channel, text, entries) {
    const filters = text === '' ? '' : `,"filters":${text}`;
    if (!this._transmit(`{"action":"subscribe","channel":${JSON.stringify(channel)}${filters}}`)) return;
    this.#acknowledgements.push({
      resolve: () => entries.forEach((entry) => entry.acknowledged.resolve(entry.subscription)),
      reject: (error) => {
        for (const entry of entries) {
          this.#forget(entry);
          rejectQuietly(entry.acknowledged, error);
        }
      },
      lost: noop,
    });
  }

  #forget(entry) {
    const entries = this.#channels.get(entry.channel);
    if (entries?.delete(entry) && entries.size === 0) this.#channels.delete(entry.channel);
  }

  /**
   * The gateway knows one "unsubscribe" for a whole channel. While others of this client remain, their filters are
   * obeyed here instead, until the next reconnection: leaving and coming back would lose what is published in between.
   */
  #remove(channel, removed) {
    const had = this.#channels.has(channel);
    for (const entry of removed) this.#forget(entry);
    const isLast = had && !this.#channels.has(channel);
    if (!isLast || this.state !== 'open' || !this._transmit(JSON.stringify({ action: 'unsubscribe', channel }))) {
      for (const entry of removed) rejectQuietly(entry.acknowledged, new ClosedError('unsubscribed'));
      return Promise.resolve();
    }
    const done = deferred();
    this.#acknowledgements.push({ resolve: done.resolve, reject: done.reject, lost: done.resolve });
    return done.promise;
  }

  #refuse(error) {
    if (SUBSCRIBE_ERRORS.has(error.message)) this.#acknowledgements.take()?.reject(error);
    this._emit('error', error);
  }

  #deliver(message) {
    for (const entry of [...(this.#channels.get(message.channel) ?? [])]) {
      if (matchesFilters(message.data, entry.filters)) guarded(entry.handler, [message.data, message]);
    }
  }
}

// --------------------------------------------------------------------------------------------------------- sessions

/** The sessions dialect: text commands, topics that belong to a session. */
export class SessionsClient extends ReconnectingClient {
  /** Subscriptions of the application. */
  #entries = new Set();
  #current = undefined;
  #currentEndsAt = Infinity;
  #lifetime = 0;
  #refreshTimer = null;

  constructor(options) {
    super(options.url, options);
    if ((options.username === undefined) !== (options.password === undefined)) {
      throw new TypeError('username and password belong together');
    }
    for (const value of [options.name, options.session]) {
      if (value !== undefined) requirePart(value, 'a name or session');
    }
  }

  /** The session of this connection: as given, else the token's, else the gateway's default. */
  get session() {
    return this.options.session ?? tokenClaims(this.#current ?? '')?.sid ?? 'default';
  }

  /** The token in use, if there is one. */
  get token() {
    return this.#current;
  }

  get isAuthenticated() {
    return this.#current !== undefined && Date.now() < this.#currentEndsAt;
  }

  /**
   * Takes what is published to a topic, in this connection's session or another: `handler(payload, message)`. The
   * dialect has no acknowledgement; this resolves when the gateway has answered a ping sent right behind.
   */
  subscribe(topic, handler, session = this.options.session) {
    requirePart(topic, 'the topic');
    if (session !== undefined) requirePart(session, 'the session');
    requireFunction(handler);
    const entry = { topic, session, handler, acknowledged: deferred() };
    entry.subscription = { topic, session, unsubscribe: () => this.#remove([entry], topic, session) };
    this.#entries.add(entry);
    if (this.state === 'open') this.#ask([entry]);
    return entry.acknowledged.promise;
  }

  /** Ends all subscriptions of this client to a topic of a session. */
  unsubscribe(topic, session = this.options.session) {
    requirePart(topic, 'the topic');
    const removed = [...this.#entries].filter((entry) => entry.topic === topic && entry.session === session);
    return this.#remove(removed, topic, session);
  }

  /** Publishes text. Resolves when handed to the socket; `flush()` waits for the gateway. */
  publish(topic, payload, options = {}) {
    requirePart(topic, 'the topic');
    if (typeof payload !== 'string') throw new TypeError('a payload of the sessions dialect is a string');
    const session = options.session ?? this.options.session;
    const message = {
      publisher_name: options.publisherName ?? this.options.name ?? this.options.username ?? '<unknown>',
      topic,
      payload,
      timestamp: options.timestamp ?? new Date().toISOString(),
      session_id: session, // Left out where it is not given: the gateway then takes the connection's.
    };
    return this._send(`publish-json:${JSON.stringify(message)}`);
  }

  async _address() {
    return withQuery(this.url, { token: await this.#freshToken() });
  }

  _question() {
    return 'ping';
  }

  _opened() {
    const { name, session } = this.options;
    if (name !== undefined) this._transmit(`register-name:${name}`);
    if (session !== undefined) this._transmit(`register-session:${session}`);
    this._ready({ session: this.session, isAuthenticated: this.isAuthenticated });
  }

  _received(message, text) {
    if (text === 'pong') {
      this._answered();
      return;
    }
    if (message === null || typeof message !== 'object' || typeof message.topic !== 'string') return;
    for (const entry of [...this.#entries]) {
      if (entry.topic === message.topic && (entry.session ?? this.session) === message.session_id) {
        guarded(entry.handler, [message.payload, message]);
      }
    }
  }

  _resubscribe() {
    if (this.#entries.size > 0) this.#ask([...this.#entries]);
  }

  get _renewsToken() {
    return this.options.username !== undefined || super._renewsToken;
  }

  _refused() {
    // Refused, perhaps for the token: a gateway that was started anew may have another key.
    this.#currentEndsAt = 0;
  }

  _lost(error, isFinal) {
    if (!isFinal) return;
    clearTimeout(this.#refreshTimer);
    this.#current = undefined;
    const entries = [...this.#entries];
    this.#entries.clear();
    for (const entry of entries) rejectQuietly(entry.acknowledged, error);
  }

  #ask(entries) {
    const commands = new Set(entries.map(({ topic, session }) => `subscribe:${topicText(topic, session)}`));
    for (const command of commands) this._transmit(command);
    if (!this._transmit(this._question())) return;
    // A connection that ends before the answer says nothing: the next one asks again.
    const resolve = () => entries.forEach((entry) => entry.acknowledged.resolve(entry.subscription));
    this._expectSign({ resolve, reject: noop });
  }

  #remove(removed, topic, session) {
    for (const entry of removed) this.#entries.delete(entry);
    const isWanted = [...this.#entries].some((entry) => entry.topic === topic && entry.session === session);
    if (isWanted || this.state !== 'open' || !this._transmit(`unsubscribe:${topicText(topic, session)}`)) {
      for (const entry of removed) rejectQuietly(entry.acknowledged, new ClosedError('unsubscribed'));
      return Promise.resolve();
    }
    const done = deferred();
    this._transmit(this._question());
    this._expectSign({ resolve: done.resolve, reject: done.resolve });
    return done.promise;
  }

  async #freshToken() {
    if (this.options.username === undefined) {
      const token = await this._currentToken();
      this.#keep(token || undefined, Infinity);
    } else if (this.#current === undefined || Date.now() >= this.#currentEndsAt - this.#margin()) {
      await this.#refresh();
    }
    return this.#current;
  }

  async #refresh() {
    const { username, password, session, authUrl, fetch } = this.options;
    const address = authUrl ?? httpAddress(this.url, '/auth/token');
    const credentials = { username, password, sessionId: session };
    const settings = { fetch, signal: this._signal };
    const { token, expiresInSeconds } = await requestSessionToken(address, credentials, settings);
    this.#lifetime = expiresInSeconds * 1_000;
    this.#keep(token, expiresInSeconds > 0 ? Date.now() + this.#lifetime : Infinity);
    this.#scheduleRefresh(0);
  }

  /** A token that lives shorter than twice the margin is replaced half-way. */
  #margin() {
    return Math.min(this.options.refreshMarginMilliseconds, this.#lifetime / 2);
  }

  #keep(token, endsAt) {
    const isNew = token !== this.#current;
    this.#current = token;
    this.#currentEndsAt = endsAt;
    if (isNew) this._emit('token', token);
  }

  /** The open connection does not need the new token; the next one does, and then it is there at once. */
  #scheduleRefresh(failures) {
    clearTimeout(this.#refreshTimer);
    if (this.#currentEndsAt === Infinity) return;
    const pause = failures > 0 ? backoffMilliseconds(failures, this.options) : 0;
    const due = this.#currentEndsAt - this.#margin() - Date.now();
    const delay = Math.min(Math.max(due, pause), TIMER_MAX);
    this.#refreshTimer = setTimeout(async () => {
      if (this.state !== 'open') return; // The next attempt brings a fresh one anyway.
      try {
        await this.#refresh();
      } catch (error) {
        if (this.state !== 'open') return;
        this._emit('error', error);
        if (!(error instanceof AuthenticationError)) this.#scheduleRefresh(failures + 1);
      }
    }, delay);
  }
}

/** Topics and sessions stand in one line, parted by `|`, and the gateway trims them. */
function requirePart(value, what) {
  requireText(value, what);
  if (value.includes('|') || value.trim() !== value) throw new TypeError(`${what}: no "|", and no space around it`);
}

function topicText(topic, session) {
  return session === undefined ? topic : `${topic}|${session}`;
}

// ---------------------------------------------------------------------------------------------------------- walkers

/** The walkers dialect: users, channels and clients to notify, and walkers to run. */
export class WalkersClient extends ReconnectingClient {
  #types = new Listeners();
  #calls = new Answers();
  #welcomed = false;
  /** The token that the attempt under way takes along. */
  #offered = undefined;

  /** `{ client_id, root_id, channel_id }` of the connection. The client id is a new one after each reconnection. */
  info = undefined;

  constructor(options) {
    super(options.url, options);
  }

  /** Whether the connection belongs to a user rather than to the public. */
  get isAuthenticated() {
    return this.info !== undefined && this.info.root_id !== PUBLIC_ROOT;
  }

  /** Asks for the connection's ids. */
  connectionInfo() {
    return this.#ask({ type: 'connection' });
  }

  /** Becomes another user, or with null the public. Resolves with the new ids; holds for later connections too. */
  changeUser(token) {
    if (token !== null && token !== undefined) requireText(token, 'the token');
    this._replaceToken(token ?? undefined);
    return this.#ask(changeUserMessage(token), (info) => {
      if (token && info.root_id === PUBLIC_ROOT) throw new AuthenticationError(TOKEN_REFUSED);
    });
  }

  /** Sends data, as it is, to every connection of these roots. */
  notifyUsers(rootIds, data) {
    // Checked here, because the gateway's error for it cannot be told from one of a walker.
    const wrong = Array.isArray(rootIds) ? rootIds.find((id) => !ROOT_ID.test(id)) : undefined;
    if (wrong !== undefined) throw new TypeError(`not a root id: ${wrong}`);
    return this.#notify('user', 'root_ids', rootIds, data);
  }

  /** … to every connection in these channels. */
  notifyChannels(channelIds, data) {
    return this.#notify('channel', 'channel_ids', channelIds, data);
  }

  /** … to these connections. */
  notifyClients(clientIds, data) {
    return this.#notify('client', 'client_ids', clientIds, data);
  }

  /**
   * Runs a walker. Resolves with `{ status, reports }`, or when sent if `response` is false. Answers carry no number in
   * this dialect: they are matched by their order. A walker that was sent is never repeated by itself.
   */
  runWalker(walker, context = {}, options = {}) {
    requireText(walker, 'the walker');
    const { response = true, node, callMilliseconds = this.options.callMilliseconds } = options;
    const text = JSON.stringify({ type: 'walker', walker, response, context, node });
    if (!response) return this._send(text);
    const done = deferred();
    this._send(text, () => this.#calls.push(done, callMilliseconds)).catch((error) => rejectQuietly(done, error));
    return done.promise;
  }

  /** Calls `handler(data, message)` for notifications of this `type`. Those of any shape come as `message` events. */
  onType(type, handler) {
    requireText(type, 'the type');
    return this.#types.add(type, handler);
  }

  async _address() {
    this.#welcomed = false;
    this.#offered = await this._currentToken();
    // The first connection's channel, if the gateway chose it, is kept: others know it by then.
    return withQuery(this.url, { channel_id: this.options.channelId ?? this.info?.channel_id });
  }

  _question() {
    return '{"type":"connection"}';
  }

  _received(message) {
    if (message === null || typeof message !== 'object' || Array.isArray(message)) return;
    if (message.type === 'connection' && this.#connection(message.data)) return;
    if (message.type === 'walker' && typeof message.error === 'string') {
      this.#refuse(new ServerError(message.error, { data: message }), true);
    } else if (message.type === undefined && message.error?.[0] === DENIED && this.isAuthenticated) {
      // A user may send to all: what was denied is to become the public, where the gateway lets nobody be that.
      this._unanswered(new ServerError(DENIED, { data: message }));
    } else if (message.type === undefined && Array.isArray(message.error)) {
      this.#refuse(new ServerError(errorText(message.error[0]), { data: message }), isOfWalker(message.error[0]));
    } else if (message.type === undefined && typeof message.status === 'number' && this.#calls.length > 0) {
      const call = this.#calls.take();
      if (message.status < 400) call.resolve(message);
      else rejectQuietly(call, new ServerError(`the walker ended with ${message.status}`, { data: message }));
    } else if (typeof message.type === 'string') {
      this.#types.call(message.type, message.data, message);
    }
  }

  _lost(error) {
    this.#calls.rejectAll(error);
  }

  /** Anybody can send a message that looks like this one: it counts only where one is due, and for this connection. */
  #connection(data) {
    if (typeof data?.client_id !== 'string' || typeof data.root_id !== 'string') return false;
    if (!this.#welcomed) {
      this.#welcomed = true;
      this.info = data;
      if (!this.#offered) this._ready(data);
      else this.#identify();
      return true;
    }
    if (data.client_id !== this.info.client_id) return false;
    this.info = data;
    this._answered(data);
    return true;
  }

  /** A browser cannot send the token as a header: it follows the welcome, before anything of the application. */
  #identify() {
    this._transmit(JSON.stringify(changeUserMessage(this.#offered)));
    this._expectSign({
      resolve: (info) => {
        if (info.root_id === PUBLIC_ROOT) this._emit('error', new AuthenticationError(TOKEN_REFUSED));
        this._ready(info);
      },
      reject: noop,
    });
  }

  #ask(message, check = noop) {
    const done = deferred();
    const resolve = (info) => {
      try {
        check(info);
        done.resolve(info);
      } catch (error) {
        done.reject(error);
      }
    };
    const sign = { promise: done.promise, resolve, reject: done.reject };
    this._send(JSON.stringify(message), () => this._expectSign(sign)).catch((error) => rejectQuietly(done, error));
    return done.promise;
  }

  #notify(type, member, ids, data) {
    if (!Array.isArray(ids) || ids.length === 0) throw new TypeError(`${member} must be a list that is not empty`);
    ids.forEach((id) => requireText(id, `each of ${member}`));
    if (data === null || typeof data !== 'object' || Array.isArray(data)) throw new TypeError('data must be an object');
    return this._send(JSON.stringify({ type, [member]: ids, data }));
  }

  #refuse(error, isOfCall) {
    if (isOfCall && this.#calls.length > 0) rejectQuietly(this.#calls.take(), error);
    else this._emit('error', error);
  }
}

function changeUserMessage(token) {
  if (!token) return { type: 'change_user' };
  return { type: 'change_user', token: /^bearer /i.test(token) ? token : `Bearer ${token}` };
}

/** The first of a list of errors is a text, or an object with `msg` and `loc`. */
function errorText(error) {
  if (typeof error === 'string') return error;
  return [error?.msg ?? 'unknown error', (error?.loc ?? []).join('.')].filter(Boolean).join(': ');
}

/** The place of an error in an event begins with `event`; that of one in a walker's context is a member of it. */
/** What the gateway says to the public that sends to others where it may only receive. */
const DENIED = 'Permission denied';

function isOfWalker(error) {
  // A walker that is denied something has a message of its own.
  if (error === DENIED) return false;
  const place = error?.loc ?? [];
  return place[0] !== 'event' || place[1] === 'walker';
}

// ----------------------------------------------------------------------------------------------------------- events

/** Events of the connection itself; all other names are the gateway's. */
const OWN_EVENTS = new Set(['open', 'close', 'reconnecting', 'error', 'message', 'token']);

/** What the gateway's own events are answered with. Replies have no number: to tell them apart, all are counted. */
const REPLIES = new Map([
  ['status', 'status_response'],
  ['echo', 'echo_response'],
  ['info', 'info_response'],
  ['message', 'message_received'],
]);
/** Stands in the row of questions for one whose answer nobody waits for. */
const NOBODY = { resolve: noop, reject: noop };

/** The events dialect over a plain WebSocket: `{ event, data }` both ways. */
export class EventsClient extends ReconnectingClient {
  #events = new Listeners();
  /** Reply event → those who wait for it. */
  #requests = new Map();
  /** AI replies that have not begun, in the order of the questions, and those that have, by message id. */
  #beginning = new Answers();
  #streams = new Map();
  #session = undefined;
  #doubted = false;

  constructor(options) {
    super(options.url, options);
  }

  /** Gets an anonymous session from the server of this address (http, https, ws or wss). */
  static async acquireSession(url, options = {}) {
    const request = { method: 'POST', signal: options.signal };
    const address = httpAddress(url, '/api/auth/acquire-session');
    const answer = await (options.fetch ?? globalThis.fetch)(address, request);
    const body = await jsonAnswer(answer, 'the request for a session');
    if (typeof body?.data?.token !== 'string') throw new MartletError('the request for a session brought no token');
    return body.data;
  }

  /** The session in use: `{ token, expiresAt }`; undefined when the application brought its own token. */
  get session() {
    return this.#session;
  }

  /** The connection's events (`open`, `close`, `reconnecting`, `error`, `message`); by any other name the gateway's. */
  on(event, handler) {
    return OWN_EVENTS.has(event) ? super.on(event, handler) : this.onEvent(event, handler);
  }

  off(event, handler) {
    if (OWN_EVENTS.has(event)) super.off(event, handler);
    else this.#events.remove(event, handler);
  }

  /** Calls `handler(data)` for an event of the gateway, whatever its name. */
  onEvent(event, handler) {
    requireText(event, 'the event');
    return this.#events.add(event, handler);
  }

  /** Sends an event. Resolves when handed to the socket. */
  emit(event, data) {
    requireText(event, 'the event');
    return this._send(JSON.stringify({ event, data }), () => {
      if (event === 'ping') this._expectSign(NOBODY);
      else if (event === 'ai:chat') this.#beginning.push(AIStream.unread(this.options));
      else if (REPLIES.has(event)) this.#expect(REPLIES.get(event), NOBODY);
    });
  }

  /** Sends an event and resolves with the data of the next `reply` that no earlier request waits for. */
  request(event, data, reply = REPLIES.get(event)) {
    requireText(event, 'the event');
    requireText(reply, 'the reply');
    const done = deferred();
    const onSent = () => this.#expect(reply, done);
    this._send(JSON.stringify({ event, data }), onSent).catch((error) => rejectQuietly(done, error));
    return done.promise;
  }

  ping() {
    const done = deferred();
    this._send(this._question(), () => this._expectSign(done)).catch((error) => rejectQuietly(done, error));
    return done.promise;
  }

  status() {
    return this.request('status');
  }

  info() {
    return this.request('info');
  }

  echo(data) {
    return this.request('echo', data);
  }

  /**
   * Asks the AI: `for await (const chunk of client.aiChat('Hello'))`, or `await client.aiChat('Hello').text()`. Several
   * may run at a time. Leaving the loop drops the rest of the reply.
   */
  aiChat(message, options = {}) {
    requireText(message, 'the message');
    const { conversationHistory, locale } = options;
    const stream = new AIStream(this.options, (ended) => {
      if (this.#streams.get(ended.messageId) === ended) this.#streams.delete(ended.messageId);
    });
    const text = JSON.stringify({ event: 'ai:chat', data: { message, conversationHistory, locale } });
    this._send(text, () => {
      this.#beginning.push(stream);
      stream._waiting();
    }).catch((error) => stream._end(error));
    return stream;
  }

  async _address() {
    const token = (await this._currentToken()) || (await this.#ownSession());
    return withQuery(this.url, { token });
  }

  _question() {
    return '{"event":"ping"}';
  }

  get _renewsToken() {
    return !this.options.token || super._renewsToken;
  }

  _refused() {
    this.#doubted = true;
  }

  _received(message) {
    if (message === null || typeof message !== 'object' || typeof message.event !== 'string') return;
    const { event, data } = message;
    if (event === 'connected') this._ready(data);
    else if (event === 'pong') this._answered(data);
    else if (event.startsWith('ai:response:')) this.#chat(event.slice('ai:response:'.length), data ?? {});
    else if (event === 'error') this._emit('error', new ServerError(String(data?.error ?? 'unknown error'), { data }));
    else this.#requests.get(event)?.take()?.resolve(data);
    this.#events.call(event, data);
  }

  _lost(error) {
    for (const answers of this.#requests.values()) answers.rejectAll(error);
    const begun = [...this.#streams.values()];
    for (let stream = this.#beginning.take(); stream; stream = this.#beginning.take()) stream._end(error);
    for (const stream of begun) stream._end(error);
  }

  #expect(reply, target) {
    if (!this.#requests.has(reply)) this.#requests.set(reply, new Answers());
    this.#requests.get(reply).push(target);
  }

  #chat(step, data) {
    const stream = this.#streams.get(data.messageId);
    if (step === 'start') {
      const next = this.#beginning.take();
      if (!next) return;
      next.messageId = data.messageId;
      if (!next.isEnded) this.#streams.set(data.messageId, next);
      next._waiting();
    } else if (step === 'chunk') {
      stream?._push(String(data.chunk ?? ''));
    } else if (step === 'complete') {
      stream?._end(null, data.fullResponse);
    } else if (step === 'error') {
      // Before `start` it has no number: then it is about the oldest question, or, from gateways that never number
      // their errors, about the oldest reply under way. One with the number of a reply that nobody reads any more is
      // about nothing else.
      const error = new ServerError(String(data.error ?? 'unknown error'), { data });
      const failed = data.messageId === undefined
        ? this.#beginning.take() ?? this.#streams.values().next().value : stream;
      failed?._end(error);
    }
  }

  /** A session of this client's own. One that was perhaps refused is looked up first, and kept if it still stands. */
  async #ownSession() {
    const { httpUrl = this.url, fetch = globalThis.fetch } = this.options;
    if (this.#session && this.#doubted) {
      const address = withQuery(httpAddress(httpUrl, '/api/auth/session'), { token: this.#session.token });
      const answer = await jsonAnswer(await fetch(address, { signal: this._signal }), 'the look-up of the session');
      if (answer?.success !== true) this.#session = undefined;
    }
    this.#session ??= await EventsClient.acquireSession(httpUrl, { fetch, signal: this._signal });
    this.#doubted = false;
    return this.#session.token;
  }
}

/** One AI reply: an async iterator over its chunks. */
class AIStream {
  #limits;
  #onEnd;
  #chunks = [];
  #characters = 0;
  #reader = null;
  #timer = null;
  #error = null;
  #full = undefined;

  /** Set when the reply begins. */
  messageId = undefined;
  isEnded = false;

  constructor(limits, onEnd) {
    this.#limits = limits;
    this.#onEnd = onEnd;
  }

  /** One that nobody reads: it takes its place in the row of questions, and nothing else. */
  static unread(limits) {
    const stream = new AIStream(limits, noop);
    stream._end(null);
    return stream;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  /** The next chunk. The error of a failed reply comes after the chunks that had arrived. */
  next() {
    if (this.#chunks.length > 0) {
      const value = this.#chunks.shift();
      this.#characters -= value.length;
      return Promise.resolve({ value, done: false });
    }
    if (this.isEnded) {
      const error = this.#error;
      this.#error = null;
      return error ? Promise.reject(error) : Promise.resolve({ value: undefined, done: true });
    }
    if (this.#reader) return Promise.reject(new TypeError('somebody is reading already'));
    this.#reader = deferred();
    return this.#reader.promise;
  }

  return() {
    this.#chunks = [];
    this._end(null);
    return Promise.resolve({ value: undefined, done: true });
  }

  /** The whole reply. */
  async text() {
    let text = '';
    for await (const chunk of this) text += chunk;
    return this.#full ?? text;
  }

  /** The next step of the reply is due. */
  _waiting() {
    clearTimeout(this.#timer);
    if (this.isEnded) return;
    const limit = this.#limits.callMilliseconds;
    const late = () => this._end(new TimeoutError(`no part of the reply within ${limit} ms`));
    this.#timer = setTimeout(late, Math.min(limit, TIMER_MAX));
  }

  _push(chunk) {
    if (this.isEnded) return;
    this._waiting();
    if (this.#reader) {
      const reader = this.#reader;
      this.#reader = null;
      reader.resolve({ value: chunk, done: false });
      return;
    }
    this.#chunks.push(chunk);
    this.#characters += chunk.length;
    if (this.#characters > this.#limits.streamCharactersMax) this._end(new QueueFullError('nobody reads the reply'));
  }

  _end(error, full) {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#full = full;
    clearTimeout(this.#timer);
    this.#onEnd(this);
    const reader = this.#reader;
    this.#reader = null;
    if (!reader) this.#error = error;
    else if (error) reader.reject(error);
    else reader.resolve({ value: undefined, done: true });
  }
}
