import { createComparison } from './comparison.js';
import { follow } from './connection.js';
import { createCurves } from './curves.js';
import { byId, setText } from './elements.js';
import { showConfig, showNow } from './overview.js';
import { showWorkers } from './workers.js';

/** @typedef {import('../status/status.js').StatusSnapshot} StatusSnapshot */

/** After this many new rows a page asks for a thinned history. */
const maxRows = 3_000;

const curves = createCurves(byId('curves'));
const comparison = createComparison(byId('comparison'));
/** @type {StatusSnapshot | undefined} */
let status;
/** The coordinator's clock minus this machine's. */
let clockOffsetMs = 0;

const restart = follow({
  snapshot(snapshot) {
    status = snapshot;
    heard(snapshot.sentAtMs);
    showConfig(status.run);
    showAll();
  },
  change({ now, rows, evaluations, pictures, sentAtMs }) {
    if (!status) return;
    heard(sentAtMs);
    status.now = now;
    status.history.rows.push(...rows);
    status.history.evaluations.push(...evaluations);
    if (pictures) status.pictures = pictures;
    if (rows.length + evaluations.length > 0 || pictures) showAll();
    else showMoment();
    if (status.history.rows.length > maxRows) restart();
  },
  lost() {
    document.body.classList.add('lost');
    const finished = status?.now.state === 'finished';
    setText(byId('connection'), finished ? 'the coordinator has left' : 'connection lost, trying again');
  },
});

/** @param {number} sentAtMs */
function heard(sentAtMs) {
  clockOffsetMs = sentAtMs - Date.now();
  document.body.classList.remove('lost');
  setText(byId('connection'), '');
}

function showAll() {
  if (!status) return;
  curves.show(status);
  byId('validation').hidden = status.pictures.length === 0;
  comparison.show(status.pictures);
  showMoment();
}

/** The parts that change all the time. */
function showMoment() {
  if (!status) return;
  const nowMs = Date.now() + clockOffsetMs;
  showNow(status, nowMs);
  showWorkers(byId('workers'), status.now.workers, nowMs);
}

// Ages grow without news from the coordinator.
setInterval(showMoment, 1_000);
