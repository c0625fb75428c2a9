// Types of martlet.js, written by hand; a test compares the two.

/** A JSON value. */
export type JSONValue = string | number | boolean | null | JSONValue[] | { [name: string]: JSONValue };

/** Limits and times; defaults and reasons stand in martlet.js, a table in docs/CLIENTS.md. */
export interface Limits {
  connectMilliseconds: number;
  backoffBaseMilliseconds: number;
  backoffMaxMilliseconds: number;
  backoffStableMilliseconds: number;
  spreadMilliseconds: number;
  attemptsMax: number;
  queueMessagesMax: number;
  queueCharactersMax: number;
  bufferedBytesMax: number;
  messageBytesMax: number;
  heartbeatMilliseconds: number;
  answerMilliseconds: number;
  callMilliseconds: number;
  closeMilliseconds: number;
  refreshMarginMilliseconds: number;
  streamCharactersMax: number;
}

export const DEFAULTS: Readonly<Limits>;
export const PUBLIC_ROOT: string;

/** The token itself, or what brings one; asked again before each reconnection. */
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

/** Any class like the platform's WebSocket, such as that of the `ws` package. */
export type WebSocketClass = new (url: string) => any;

export interface ClientOptions extends Partial<Limits> {
  /** The address of the dialect's path: `wss://host/channels`. */
  url: string;
  token?: TokenSource;
  WebSocket?: WebSocketClass;
  fetch?: (url: string, init?: any) => Promise<any>;
}

export type State = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

export interface CloseEvent {
  code: number;
  reason: string;
  wasClean: boolean;
  willReconnect: boolean;
}

export interface ReconnectingEvent {
  /** 1 after the first loss; counts on until a connection stood for `backoffStableMilliseconds`. */
  attempt: number;
  delayMilliseconds: number;
  code: number;
  reason: string;
}

/** Events of every client and what their listeners get. */
export interface ConnectionEvents<Welcome> {
  open: Welcome;
  close: CloseEvent;
  reconnecting: ReconnectingEvent;
  error: Error;
  message: unknown;
}

/** Takes a listener away again. */
export type Remove = () => void;

export class MartletError extends Error {
  constructor(message: string, details?: object);
}
export class ConnectionError extends MartletError {
  readonly code?: number;
  readonly reason?: string;
  readonly wasClean?: boolean;
  readonly status?: number;
}
export class ConnectionLostError extends MartletError {}
export class ClosedError extends MartletError {}
export class QueueFullError extends MartletError {}
export class MessageTooBigError extends MartletError {}
export class TimeoutError extends MartletError {}
export class AuthenticationError extends MartletError {
  readonly status?: number;
}
export class ServerError extends MartletError {
  readonly data: any;
}

export type Advice = 'stop' | 'backOff' | 'atOnce';
export function closeAdvice(code: number, reason?: string): Advice;
export function backoffMilliseconds(
  pauses: number,
  limits?: Pick<Limits, 'backoffBaseMilliseconds' | 'backoffMaxMilliseconds'>,
  random?: () => number,
): number;
export function tokenClaims(token: string): Record<string, any> | null;
export function webSocketClass(given?: WebSocketClass): WebSocketClass;
export function matchesFilters(data: unknown, filters: object | null | undefined): boolean;
export function requestSessionToken(
  authUrl: string,
  credentials: { username: string; password: string; sessionId?: string },
  options?: { fetch?: ClientOptions['fetch']; signal?: AbortSignal },
): Promise<{ token: string; expiresInSeconds: number }>;

/** What all clients share. Made through its subclasses. */
export abstract class ReconnectingClient<Welcome = unknown, Events = ConnectionEvents<Welcome>> {
  protected constructor(url: string, options?: Partial<ClientOptions>);
  readonly url: string;
  readonly options: Readonly<Limits & ClientOptions>;
  readonly state: State;
  /** Messages that wait for a connection. */
  readonly queued: number;
  connect(): Promise<Welcome>;
  close(code?: number, reason?: string): Promise<void>;
  on<Name extends keyof Events & string>(event: Name, handler: (value: Events[Name]) => unknown): Remove;
  once<Name extends keyof Events & string>(event: Name, handler: (value: Events[Name]) => unknown): Remove;
  off<Name extends keyof Events & string>(event: Name, handler: (value: Events[Name]) => unknown): void;
  /** Resolves when the gateway has worked through everything that was sent before. */
  flush(): Promise<unknown>;
}

// Channels

export interface ChannelsWelcome {
  type: 'connected';
  message: string;
  userId: string;
}

export interface ChannelMessage {
  type: 'message' | 'broadcast';
  channel: string;
  /** The publisher; absent from broadcasts. */
  from?: string;
  data?: any;
  timestamp: string;
}

export type ChannelHandler = (data: any, message: ChannelMessage) => unknown;
export type Filters = { [name: string]: JSONValue };

export interface ChannelSubscription {
  readonly channel: string;
  readonly filters?: Filters;
  unsubscribe(): Promise<void>;
}

export class ChannelsClient extends ReconnectingClient<ChannelsWelcome> {
  constructor(options: ClientOptions);
  userId: string | undefined;
  subscribe(channel: string, handler: ChannelHandler): Promise<ChannelSubscription>;
  subscribe(
    channel: string,
    filters: Filters | null | undefined,
    handler: ChannelHandler,
  ): Promise<ChannelSubscription>;
  unsubscribe(channel: string): Promise<void>;
  publish(channel: string, payload?: unknown): Promise<void>;
  onBroadcast(channel: string, handler: ChannelHandler): Remove;
}

// Sessions

export interface SessionsOptions extends ClientOptions {
  /** Credentials for `authUrl`; without them and without a token the connection is anonymous. */
  username?: string;
  password?: string;
  /** By default `/auth/token` of the host of `url`. */
  authUrl?: string;
  name?: string;
  session?: string;
}

export interface SessionsWelcome {
  session: string;
  isAuthenticated: boolean;
}

export interface SessionsEvents extends ConnectionEvents<SessionsWelcome> {
  /** A token was taken or replaced. */
  token: string | undefined;
}

export interface TopicMessage {
  publisher_name: string;
  topic: string;
  payload: string;
  timestamp: string;
  session_id: string;
}

export type TopicHandler = (payload: string, message: TopicMessage) => unknown;

export interface TopicSubscription {
  readonly topic: string;
  readonly session?: string;
  unsubscribe(): Promise<void>;
}

export class SessionsClient extends ReconnectingClient<SessionsWelcome, SessionsEvents> {
  constructor(options: SessionsOptions);
  readonly session: string;
  readonly token: string | undefined;
  readonly isAuthenticated: boolean;
  subscribe(topic: string, handler: TopicHandler, session?: string): Promise<TopicSubscription>;
  unsubscribe(topic: string, session?: string): Promise<void>;
  publish(
    topic: string,
    payload: string,
    options?: { session?: string; publisherName?: string; timestamp?: string },
  ): Promise<void>;
}

// Walkers

export interface WalkersOptions extends ClientOptions {
  channelId?: string;
}

export interface ConnectionInfo {
  client_id: string;
  root_id: string;
  channel_id: string;
}

export interface WalkerResult {
  status: number;
  reports: any[];
}

export class WalkersClient extends ReconnectingClient<ConnectionInfo> {
  constructor(options: WalkersOptions);
  info: ConnectionInfo | undefined;
  readonly isAuthenticated: boolean;
  connectionInfo(): Promise<ConnectionInfo>;
  changeUser(token?: string | null): Promise<ConnectionInfo>;
  notifyUsers(rootIds: string[], data: object): Promise<void>;
  notifyChannels(channelIds: string[], data: object): Promise<void>;
  notifyClients(clientIds: string[], data: object): Promise<void>;
  runWalker(
    walker: string,
    context?: object,
    options?: { response?: true; node?: string; callMilliseconds?: number },
  ): Promise<WalkerResult>;
  runWalker(walker: string, context: object, options: { response: false; node?: string }): Promise<void>;
  onType(type: string, handler: (data: any, message: any) => unknown): Remove;
}

// Events

export interface EventsOptions extends ClientOptions {
  /** Where sessions are got, if it is not the host of `url`. */
  httpUrl?: string;
}

export interface EventsWelcome {
  message: string;
  socketId: string;
  isLoggedIn: boolean;
  protocol?: string;
}

export interface EventsSession {
  token: string;
  expiresAt: string;
}

export interface AIStream extends AsyncIterableIterator<string> {
  readonly messageId: string | undefined;
  readonly isEnded: boolean;
  /** The whole reply. */
  text(): Promise<string>;
}

export class EventsClient extends ReconnectingClient<EventsWelcome, any> {
  constructor(options: EventsOptions);
  static acquireSession(
    url: string,
    options?: { fetch?: ClientOptions['fetch']; signal?: AbortSignal },
  ): Promise<EventsSession>;
  readonly session: EventsSession | undefined;
  on<Name extends keyof ConnectionEvents<EventsWelcome>>(
    event: Name,
    handler: (value: ConnectionEvents<EventsWelcome>[Name]) => unknown,
  ): Remove;
  on(event: string, handler: (data: any) => unknown): Remove;
  off(event: string, handler: (data: any) => unknown): void;
  onEvent(event: string, handler: (data: any) => unknown): Remove;
  emit(event: string, data?: unknown): Promise<void>;
  /** `reply` may be left out for the events that every gateway has. */
  request(event: string, data?: unknown, reply?: string): Promise<any>;
  ping(): Promise<{ timestamp: string }>;
  status(): Promise<any>;
  info(): Promise<any>;
  echo(data?: unknown): Promise<{ received?: any; timestamp: string; socketId: string }>;
  aiChat(message: string, options?: { conversationHistory?: unknown[]; locale?: string }): AIStream;
}
