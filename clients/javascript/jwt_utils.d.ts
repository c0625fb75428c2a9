// Types of jwt_utils.js, written by hand; a test compares the two.
import type { WebSocketClass } from './martlet.js';

export interface RequestOptions {
  fetch?: (url: string, init?: any) => Promise<any>;
  signal?: AbortSignal;
}

export class JWTManager {
  isAuthenticated(): boolean;
  getToken(): string | null;
  setToken(token: string, expiresInSeconds?: number): void;
  clearToken(): void;
  isExpired(marginSeconds?: number): boolean;
  getAuthToken(
    authUrl: string,
    username: string,
    password: string,
    sessionId?: string,
    options?: RequestOptions,
  ): Promise<string>;
  refreshTokenIfNeeded(marginSeconds?: number): Promise<boolean>;
}

export const jwtManager: JWTManager;

/** Resolves with an open WebSocket, of the platform's class unless another was given. */
export function createAuthenticatedWebSocket(
  wsUrl: string,
  authUrl: string,
  username: string,
  password: string,
  sessionId?: string,
  options?: RequestOptions & { WebSocket?: WebSocketClass },
): Promise<any>;
