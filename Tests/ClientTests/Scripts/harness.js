// What all scenarios share, in Node and in a page: checks, patience, and a record of what came.

/** Longer than anything correct ever takes on a busy machine. */
const PATIENCE_MILLISECONDS = 30_000;

export class Failure extends Error {}

let checked = 0;

/** How many checks were made since the last call. */
export function takeCount() {
  const count = checked;
  checked = 0;
  return count;
}

export function check(condition, sentence) {
  checked += 1;
  if (!condition) throw new Failure(sentence);
}

export function equal(actual, expected, sentence) {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(left === right, `${sentence}: ${left?.slice(0, 300)} instead of ${right?.slice(0, 300)}`);
}

/** The value of a promise that has to settle. */
export async function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Failure(`nothing came for a long time: ${what}`)), PATIENCE_MILLISECONDS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The error of a promise that has to be refused with this class of error. */
export async function refused(promise, kind, what) {
  try {
    await soon(promise, what);
  } catch (error) {
    check(error instanceof kind, `${what}: ${error?.name} instead of ${kind.name}: ${error?.message}`);
    return error;
  }
  throw new Failure(`${what}: not refused`);
}

/** The error that a call throws. */
export function thrown(call, kind, what) {
  try {
    call();
  } catch (error) {
    check(error instanceof kind, `${what}: ${error?.name} instead of ${kind.name}`);
    return error;
  }
  throw new Failure(`${what}: nothing was thrown`);
}

/** Everything that came, to be waited for. */
export class Record {
  values = [];
  #waiting = [];

  /** Takes one value: a handler. */
  take = (value) => {
    this.values.push(value);
    this.#waiting = this.#waiting.filter((one) => !one());
  };

  /** Resolves with the values as soon as there are so many, or as the condition holds for them. */
  until(wanted, what) {
    const isMet = typeof wanted === 'number' ? () => this.values.length >= wanted : () => wanted(this.values);
    const met = new Promise((resolve) => {
      const look = () => isMet() && (resolve(this.values), true);
      if (!look()) this.#waiting.push(look);
    });
    return soon(met, what);
  }
}

/** The next event of a client. */
export function next(client, event) {
  return soon(new Promise((resolve) => client.once(event, resolve)), `the event ${event}`);
}

/** A record of the events of a client: `[name, value]`. */
export function recordEvents(client, names = ['open', 'close', 'reconnecting', 'error']) {
  const record = new Record();
  for (const name of names) client.on(name, (value) => record.take([name, value]));
  return record;
}

/** Waits without a reason but time. Only for what must not happen. */
export function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Short pauses between attempts, so that tests are quick. */
export const QUICK = { backoffBaseMilliseconds: 50, backoffMaxMilliseconds: 400, spreadMilliseconds: 50 };
