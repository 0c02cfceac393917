import { element, setText } from './elements.js';
import { duration } from './format.js';

/** @typedef {import('../status/status.js').WorkerStatus} WorkerStatus */

const columns = ['worker', 'address', 'computes on', 'exchange', 'connected for', 'last heard', 'computes now'];

/**
 * The table of workers; rows stay in place while their workers do.
 *
 * @param {HTMLElement} target
 * @param {WorkerStatus[]} workers
 * @param {number} nowMs
 */
export function showWorkers(target, workers, nowMs) {
  if (workers.length === 0) {
    if (!target.querySelector('.empty')) {
      target.replaceChildren(
        element('p', { class: 'empty' }, 'No worker is connected. The run continues when one joins.'),
      );
    }
    return;
  }
  const table = target.querySelector('tbody') ?? createTable(target);
  const rows = new Map([...table.rows].map((row) => [row.dataset['worker'], row]));
  for (const worker of workers) {
    const id = String(worker.id);
    const row = rows.get(id) ?? table.appendChild(createRow(id));
    rows.delete(id);
    const { address, backend, device, precision, transport, joinedAtMs, lastSeenAtMs, tasks } = worker;
    const texts = [
      id,
      address,
      [backend, device, precision].filter(Boolean).join(' · '),
      transport,
      duration((nowMs - joinedAtMs) / 1000),
      `${duration((nowMs - lastSeenAtMs) / 1000)} ago`,
      tasks.length === 0 ? 'waits' : task(tasks[0]) + (tasks.length > 1 ? `, then ${tasks.length - 1} more` : ''),
    ];
    for (const [i, text] of texts.entries()) setText(row.cells[i], text);
  }
  for (const row of rows.values()) row.remove();
}

/** @param {HTMLElement} target */
function createTable(target) {
  const body = element('tbody');
  const head = element('thead', {}, element('tr', {}, ...columns.map((name) => element('th', { scope: 'col' }, name))));
  target.replaceChildren(element('table', {}, head, body));
  return body;
}

/** @param {string} id */
function createRow(id) {
  const cells = columns.map((label) => element('td', { 'data-label': label }));
  return element('tr', { 'data-worker': id }, ...cells);
}

/**
 * `generator 12.3` in words; the numbers are those of the logs.
 *
 * @param {string} key
 */
function task(key) {
  const [, network, iteration, replica] = /^(\w+) (\d+)(?:\.(\d+))?$/.exec(key) ?? [];
  if (!network) return key;
  return `${network}, iteration ${iteration}${replica === undefined ? '' : `, replica ${replica}`}`;
}
