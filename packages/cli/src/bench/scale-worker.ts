import { setMaxListeners } from 'node:events';
import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunConfig } from '@fourfold/common';
import { serveIdly } from './idle-worker.js';

/*
 * A process of `bench scale`: many workers without a device, whose gradients are zeros and ready at once. At the end it sends its
 * parent what it saw of the status page.
 */

export interface ScaleWorkersReport {
  workers: number;
  /** Times of its requests of the status, if it made any. */
  statusMs: number[];
}

const statusEveryMs = 100;

const [coordinator, statusUrl, configText, ports] = process.argv.slice(2);
const config = JSON.parse(configText) as RunConfig;
const stop = new AbortController();
process.once('disconnect', () => stop.abort(new Error('the bench has ended')));
// Each worker listens.
setMaxListeners(0, stop.signal);
const over = new AbortController();
const statusMs = statusUrl === '' ? Promise.resolve([]) : watchStatus(statusUrl, over.signal);
const listens = ports.split(',').map((port) => `127.0.0.1:${port}`);
const half = async () => ({});
const compute = { discriminatorHalf: half, generatorHalf: half };
const outcomes = await Promise.all(
  listens.map((listen) => serveIdly({ config, coordinator, listen, advertise: listen, compute, signal: stop.signal })),
);
over.abort();
for (const { ended, reason } of outcomes) if (!ended) console.error(`fourfold: ${reason}`);
const report: ScaleWorkersReport = { workers: listens.length, statusMs: await statusMs };
process.send?.(report, () => process.exit(outcomes.every(({ ended }) => ended) ? 0 : 1));

/** Request the status at once and every now and then until the end; returns how long each answer took, body included. */
async function watchStatus(url: string, signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  do {
    const begunMs = performance.now();
    await ask(url);
    times.push(performance.now() - begunMs);
    await delay(statusEveryMs);
  } while (!signal.aborted);
  return times;
}

/** Resolves when all of the answer is there. Over a connection of its own: a server closes a kept one when it likes, also while it is asked. */
function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (answer) => void text(answer).then(resolve, reject)).on('error', reject);
  });
}
