/** @typedef {import('../status.js').StatusSnapshot} StatusSnapshot */
/** @typedef {import('../status.js').StatusChange} StatusChange */

const retryMs = 1_500;
/** The coordinator says something every 5 seconds at least. */
const silenceMs = 15_000;
const answerMs = 5_000;

/**
 * @typedef {object} Listener
 * @property {(snapshot: StatusSnapshot) => void} snapshot everything, at first and after each break
 * @property {(change: StatusChange) => void} change
 * @property {() => void} lost the coordinator does not answer; it is asked again and again
 */

/**
 * Follow the coordinator: by server-sent events, and where they do not come through by asking for `status.json` between
 * attempts. Returns a function that begins anew with a snapshot.
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
