// A gateway that does wrong on purpose what a test asks for in the path. It speaks the channels dialect, or that of
// events where it says so. Node only.
//
// /close/CODE/REASON   welcomes; closes like this at the first publish, later connections are good
// /every/CODE/REASON   the same for every connection
// /silent              welcomes and then says nothing; later connections are good
// /mute                never welcomes; the third connection is good
// /refuse/STATUS       answers the upgrade with a status
// /drop                ends TCP at each publish, without a close frame
// /flaky               refuses the first three upgrades with 503
// /forgetful           refuses the token "old" with 401; anybody else gets the welcome of events
// /ai                  AI replies that are cut off, refused, or interleaved: see `reply`

import { listen } from './websocket-server.js';

const WELCOME = { type: 'connected', message: 'Welcome', userId: 'tester' };

/** The events that answer a question to the AI. */
const REPLIES = {
  cut: [['start', 'a'], ['chunk', 'a', 'half'], 'drop'],
  refused: [['error', undefined, 'Message is required']],
  left: [['start', 'e'], ['chunk', 'e', 'half ']],
  later: [['error', 'e', 'the model is away'], ['start', 'f'], ['chunk', 'f', 'fine'], ['complete', 'f', 'fine']],
  failing: [['start', 'b'], ['chunk', 'b', 'half '], ['error', undefined, 'the model is away']],
  first: [['start', 'c'], ['chunk', 'c', '1 ']],
  second: [['start', 'd'], ['chunk', 'd', 'one '], ['chunk', 'c', '2'], ['complete', 'c', '1 2'], ['chunk', 'd', 'two'],
    ['complete', 'd', 'one two']],
};

/** Sends the events of one reply. */
function reply(peer, question) {
  for (const event of REPLIES[question] ?? []) {
    if (event === 'drop') {
      peer.drop();
      continue;
    }
    const [step, messageId, text] = event;
    const name = { chunk: 'chunk', complete: 'fullResponse', error: 'error' }[step];
    peer.send({ event: `ai:response:${step}`, data: { messageId, ...(name ? { [name]: text } : {}) } });
  }
}

export async function startFaultyGateway() {
  /** Connections so far, by path and query. */
  const counts = new Map();

  function count(url) {
    const number = (counts.get(url.href) ?? 0) + 1;
    counts.set(url.href, number);
    return number;
  }

  function accept(peer, url) {
    const [, kind, code, reason = ''] = url.pathname.split('/').map(decodeURIComponent);
    const number = kind === 'refuse' || kind === 'flaky' ? 0 : count(url);
    if (kind === 'mute' && number < 3) return;
    if (kind === 'ai' || kind === 'forgetful') {
      peer.onText = (text) => kind === 'ai' && reply(peer, JSON.parse(text).data?.message);
      peer.send({ event: 'connected', data: { socketId: `ws-${number}`, isLoggedIn: false } });
      return;
    }
    const isSilent = kind === 'silent' && number === 1;
    peer.onText = (text) => {
      if (isSilent) return;
      const message = JSON.parse(text);
      if (message.action === 'ping') peer.send({ type: 'pong', timestamp: Date.now() });
      if (message.action === 'subscribe') peer.send({ type: 'subscribed', channel: message.channel });
      if (message.action === 'unsubscribe') peer.send({ type: 'unsubscribed', channel: message.channel });
      if (message.action !== 'publish') return;
      if (kind === 'drop') peer.drop();
      else if (kind === 'every' || (kind === 'close' && number === 1)) peer.close(Number(code), reason);
      else peer.send({ type: 'message', channel: message.channel, data: message.payload, connection: number });
    };
    peer.send({ ...WELCOME, connection: number, query: Object.fromEntries(url.searchParams) });
  }

  accept.refuses = (url) => {
    const [, kind, status] = url.pathname.split('/');
    if (kind === 'refuse') return Number(status);
    if (kind === 'forgetful') return url.searchParams.get('token') === 'old' ? 401 : 0;
    return kind === 'flaky' && count(url) <= 3 ? 503 : 0;
  };

  return await listen({ accept });
}
