import type { IncomingMessage, ServerResponse } from 'node:http';
import { createTraffic } from '@fourfold/rpc';
import { parseRunConfig } from '@fourfold/common';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createCoordinatorMetrics } from './coordinator-metrics.js';
import { emptyHistory } from '@fourfold/store';
import type { CheckpointStatus, StatusNow } from '../status/status.js';

const now: StatusNow = {
  state: 'training',
  term: 2,
  iteration: 7,
  iterations: 20,
  phase: 0,
  phaseKind: 'mse',
  learningRate: 1e-4,
  iterationsPerSecond: 2,
  samplesPerSecond: 32,
  losses: {},
  workers: [],
};
const startedAtMs = Date.parse('2024-05-01T12:00:00Z');
const hourMs = 3_600_000;

beforeEach(() => vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => vi.useRealTimers());

/** The age of the checkpoint that a coordinator reports, a given time after its start. */
async function ageSeconds(upMs: number, checkpoint?: CheckpointStatus): Promise<number> {
  vi.setSystemTime(startedAtMs);
  const raw = { name: 'r', dataset: 'd', loss: { content: 'mse' } };
  const phases = [{ kind: 'mse', iterations: 20, learningRate: 1 }];
  const metrics = createCoordinatorMetrics({
    config: parseRunConfig({ ...raw, phases }, 'the test'),
    now: () => ({ ...now, checkpoint }),
    history: emptyHistory,
    leases: () => ({ joined: 0, left: 0, granted: 0, moved: 0, straggling: 0, refused: 0, rejected: 0 }),
    workersRefused: () => 0,
    traffic: createTraffic(),
    brokenHops: () => 0,
    hops: { read: () => [] },
    housekeepingFailures: () => ({}),
  });
  vi.setSystemTime(startedAtMs + upMs);
  let text = '';
  const response = { writeHead: () => undefined, end: (body: string) => (text = body) };
  await metrics.route({} as IncomingMessage, response as unknown as ServerResponse);
  return Number(/^fourfold_checkpoint_age_seconds\{[^}]*\} (.*)$/m.exec(text)?.[1]);
}

test('the age of a checkpoint is what losing the coordinator would cost', async () => {
  const saved = { name: '00000007-0002', savedAtMs: startedAtMs + hourMs };
  expect(await ageSeconds(3 * hourMs, saved)).toBe(7200);
});

test('resumed from an old checkpoint, or before the first one, that is the time since its start', async () => {
  const resumed = { name: '00000007-0001', savedAtMs: startedAtMs - 50 * hourMs };
  expect(await ageSeconds(60_000, resumed)).toBe(60);
  expect(await ageSeconds(60_000)).toBe(60);
});
