// A gateway of the channels dialect that does wrong on purpose what a test asks for in the path. Node only.
//
// /close/CODE/REASON   welcomes; closes like this at the first publish, later connections are good
// /every/CODE/REASON   the same for every connection
// /silent              welcomes and then says nothing; later connections are good
// /mute                never welcomes; the third connection is good
// /refuse/STATUS       answers the upgrade with a status
// /drop                ends TCP at each publish, without a close frame
// /flaky               refuses the first three upgrades with 503

import { listen } from './websocket-server.js';

const WELCOME = { type: 'connected', message: 'Welcome', userId: 'tester' };

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
    return kind === 'flaky' && count(url) <= 3 ? 503 : 0;
  };

  return await listen({ accept });
}
