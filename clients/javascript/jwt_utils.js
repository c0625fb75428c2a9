// The helper that pages written for the sessions dialect import: one token in memory, and a WebSocket that is open and
// authenticated. New code is better served by `SessionsClient`, which also reconnects.

import { requestSessionToken, tokenClaims, webSocketClass } from './martlet.js';

/** How long before its end a token counts as due for replacement. */
const REFRESH_MARGIN_SECONDS = 60;

/** Keeps one token, and how to get the next. In memory only: what a page stores, every script on it can read. */
export class JWTManager {
  #token = null;
  /** Milliseconds since 1970; Infinity where nothing is known. */
  #endsAt = Infinity;
  #request = null;

  /** Whether there is a token that has not expired. */
  isAuthenticated() {
    return this.getToken() !== null;
  }

  /** The token, or null when there is none or it has expired. */
  getToken() {
    return this.isExpired() ? null : this.#token;
  }

  /** Takes a token. Its end is that of its claim `exp`, unless the answer that brought it said how long it lives. */
  setToken(token, expiresInSeconds = 0) {
    if (typeof token !== 'string' || token === '') throw new TypeError('the token must be a string that is not empty');
    const claimed = tokenClaims(token)?.exp;
    this.#token = token;
    // A lifetime that counts from now does not depend on this machine's clock being right.
    if (expiresInSeconds > 0) this.#endsAt = Date.now() + expiresInSeconds * 1_000;
    else this.#endsAt = Number.isFinite(claimed) ? claimed * 1_000 : Infinity;
  }

  /** Forgets the token and the credentials: for a logout. */
  clearToken() {
    this.#token = null;
    this.#endsAt = Infinity;
    this.#request = null;
  }

  /** Whether the token is missing, or ends within so many seconds. */
  isExpired(marginSeconds = 0) {
    return this.#token === null || Date.now() >= this.#endsAt - marginSeconds * 1_000;
  }

  /** Asks for a token, keeps it and returns it. */
  async getAuthToken(authUrl, username, password, sessionId, options = {}) {
    const { token, expiresInSeconds } = await requestSessionToken(authUrl, { username, password, sessionId }, options);
    this.setToken(token, expiresInSeconds);
    this.#request = [authUrl, username, password, sessionId, options];
    return token;
  }

  /** Replaces a token that is about to end, with the credentials of the last `getAuthToken`; tells whether it did. */
  async refreshTokenIfNeeded(marginSeconds = REFRESH_MARGIN_SECONDS) {
    if (!this.isExpired(marginSeconds) || this.#request === null) return false;
    await this.getAuthToken(...this.#request);
    return true;
  }
}

/** The manager that a page shares. */
export const jwtManager = new JWTManager();

/**
 * Gets a token and opens a WebSocket with it. Resolves with the platform's own WebSocket once it is open; rejects when
 * the credentials or the connection are refused. `options.WebSocket` and `options.fetch` replace the platform's.
 */
export async function createAuthenticatedWebSocket(wsUrl, authUrl, username, password, sessionId, options = {}) {
  const WebSocketClass = webSocketClass(options.WebSocket);
  const token = await jwtManager.getAuthToken(authUrl, username, password, sessionId, options);
  const address = new URL(wsUrl);
  address.searchParams.set('token', token);
  return await new Promise((resolve, reject) => {
    const socket = new WebSocketClass(address.href);
    // Properties, because every WebSocket class has them; free again for the page as soon as the socket is open.
    const settle = (finish, value) => {
      socket.onopen = socket.onerror = socket.onclose = null;
      finish(value);
    };
    socket.onopen = () => settle(resolve, socket);
    const refuse = (reason) => settle(reject, new Error(`cannot connect: ${reason}`));
    socket.onerror = (event) => refuse(event.message || 'refused or unreachable');
    socket.onclose = ({ code }) => refuse(`closed with ${code}`);
  });
}
