/** @typedef {import('../status/status.js').StatusSnapshot} StatusSnapshot */
/** @typedef {import('../status/status.js').StatusChange} StatusChange */

const retryMs = 1_500;
/** The coordinator sends something at least every 5 seconds. */
const silenceMs = 15_000;
const answerMs = 5_000;

/**
 * @typedef {object} Listener
 * @property {(snapshot: StatusSnapshot) => void} snapshot everything, first and after each reconnection
 * @property {(change: StatusChange) => void} change
 * @property {() => void} lost the coordinator does not answer; it is asked repeatedly
 */

/**
 * Follow the coordinator by server-sent events; if they do not arrive, by fetching `status.json` between attempts.
 * Returns a function that starts over with a snapshot.
 *
 * @param {Listener} listener
 */
export function follow(listener) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {number | undefined} */
  let timer;

  function connect() {
    close();
    source = new EventSource('events');
    source.addEventListener('snapshot', (event) => receive(() => listener.snapshot(JSON.parse(event.data))));
    source.addEventListener('change', (event) => receive(() => listener.change(JSON.parse(event.data))));
    source.addEventListener('error', ask);
    timer = window.setTimeout(ask, silenceMs);
  }

  /** @param {() => void} act */
  function receive(act) {
    clearTimeout(timer);
    timer = window.setTimeout(ask, silenceMs);
    act();
  }

  /** The events have broken off: ask for everything, once, and try again a little later. */
  async function ask() {
    close();
    try {
      const response = await fetch('status.json', { signal: AbortSignal.timeout(answerMs) });
      if (!response.ok) throw new Error(`status.json: ${response.status}`);
      listener.snapshot(await response.json());
    } catch {
      listener.lost();
    }
    timer = window.setTimeout(connect, retryMs);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
  }

  connect();
  return connect;
}
