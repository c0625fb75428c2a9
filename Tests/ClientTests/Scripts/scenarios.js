// All scenarios by name, and how one is run. For Node and pages.

import * as channels from './channels.js';
import * as events from './events.js';
import * as faults from './faults.js';
import { takeCount } from './harness.js';
import * as sessions from './sessions.js';
import * as socketio from './socketio.js';
import * as walkers from './walkers.js';

const scenarios = { ...channels, ...events, ...faults, ...sessions, ...socketio, ...walkers };

/** Runs one scenario, of these or of `more`. Resolves with `{ scenario, checks }`, or with `{ scenario, error }`. */
export async function run(scenario, context, more = {}) {
  takeCount();
  try {
    await { ...scenarios, ...more }[scenario](context);
    return { scenario, checks: takeCount() };
  } catch (error) {
    return { scenario, error: String(error?.stack ?? error) };
  }
}
