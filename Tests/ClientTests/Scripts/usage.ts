// Compiled, never run: an application that uses everything the types promise.

import {
  AuthenticationError, ChannelsClient, EventsClient, ReconnectingClient, SessionsClient, WalkersClient, closeAdvice,
} from '../../../clients/javascript/martlet.js';
import type { ChannelMessage, CloseEvent } from '../../../clients/javascript/martlet.js';
import { createAuthenticatedWebSocket, jwtManager } from '../../../clients/javascript/jwt_utils.js';

export async function all(): Promise<void> {
  const channels = new ChannelsClient({ url: 'wss://host/channels', token: async () => 'token', queueMessagesMax: 5 });
  const user: string = (await channels.connect()).userId;
  channels.on('close', (event: CloseEvent) => console.log(event.code, event.willReconnect));
  channels.once('error', (error) => console.log(error instanceof AuthenticationError && error.status));
  const handler = (data: unknown, message: ChannelMessage) => [data, message];
  const subscription = await channels.subscribe('news', { kind: ['a', 'b'] }, handler);
  await channels.subscribe('news', () => {});
  await subscription.unsubscribe();
  await channels.publish('news', { user });
  channels.onBroadcast('news', (data) => data)();
  await channels.flush();
  // @ts-expect-error a handler is needed
  channels.subscribe('news');
  // @ts-expect-error there is no such event
  channels.on('opened', () => {});

  const sessions = new SessionsClient({ url: 'ws://host/ws', username: 'u', password: 'p', session: 's' });
  sessions.on('token', (token) => token?.length);
  await sessions.subscribe('topic', (payload, { session_id }) => payload.length + session_id.length, 'other');
  await sessions.publish('topic', 'text', { session: 'other' });
  // @ts-expect-error a payload is text
  sessions.publish('topic', 5);

  const walkers = new WalkersClient({ url: 'ws://host/websocket', channelId: 'room' });
  const { root_id } = await walkers.connect();
  await walkers.notifyUsers([root_id], { type: 'chat' });
  const reports: unknown[] = (await walkers.runWalker('name', { val: 1 })).reports;
  const nothing: void = await walkers.runWalker('name', {}, { response: false });
  await walkers.changeUser(null);
  walkers.onType('chat', (data) => [data, reports, nothing]);

  const { token } = await EventsClient.acquireSession('https://host');
  const events = new EventsClient({ url: 'ws://host/events', token });
  events.on('open', ({ socketId }) => socketId.length);
  events.on('echo_response', (data) => data.received);
  await events.emit('echo', 'x');
  for await (const chunk of events.aiChat('Hello', { locale: 'fa' })) console.log(chunk.length);
  const clients: ReconnectingClient<any, any>[] = [channels, sessions, walkers, events];
  await Promise.all(clients.map((client) => client.close()));

  const socket = await createAuthenticatedWebSocket('ws://host/ws', 'http://host/auth/token', 'u', 'p');
  socket.send(jwtManager.getToken() ?? closeAdvice(1001));
}
