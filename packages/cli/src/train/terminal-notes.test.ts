import { beforeEach, expect, test } from 'vitest';
import type { LogLine } from './child.js';
import { createTerminalNotes, type TerminalNotes } from './terminal-notes.js';

let nowMs: number;
let isStopping: boolean;
let notes: TerminalNotes;
beforeEach(() => {
  nowMs = 100_000;
  isStopping = false;
  notes = createTerminalNotes(
    () => isStopping,
    () => nowMs,
  );
});

const note = (name: string, event: string, msg: string, fields: Partial<LogLine> = {}) =>
  notes.noteOf(name, { level: 40, role: 'worker', event, msg, ...fields });

test('warnings are shown with their reason, information and late results are not', () => {
  expect(note('worker 1', 'worker-unfit', 'unfit', { reason: 'no disk' })).toBe('worker 1: unfit (no disk)');
  expect(note('worker 1', 'joined', 'joined', { level: 30 })).toBeUndefined();
  expect(note('coordinator', 'refused', 'late result refused')).toBeUndefined();
});

test('an outage that all parts report is one line, and its end another', () => {
  const waiting = (waitedMs: number) =>
    ['nats-waiting', 'waiting for NATS', { waitedMs, reason: 'it is lost' }] as const;
  const back = ['nats-back', 'NATS is back', { level: 30 }] as const;
  expect(note('worker 1', ...back)).toBeUndefined();
  nowMs += 60_000;
  expect(note('worker 1', ...waiting(5_000))).toBe('waiting for NATS (it is lost)');
  expect(note('worker 2', ...waiting(5_000))).toBeUndefined();
  expect(note('worker 1', ...waiting(10_000))).toBeUndefined();
  nowMs += 1_000;
  expect(note('worker 2', ...back)).toBe('NATS is back');
  expect(note('worker 1', ...back)).toBeUndefined();
  nowMs += 500;
  expect(note('data-loader 1', ...waiting(6_000))).toBeUndefined();
  nowMs += 60_000;
  expect(note('worker 2', ...waiting(5_000))).toBe('waiting for NATS (it is lost)');
});

test('an outage is shown also if the end of the one before was not seen', () => {
  const waiting = (waitedMs: number) => note('worker 1', 'store-waiting', 'waiting for MinIO', { waitedMs });
  expect(waiting(5_000)).toBe('waiting for MinIO');
  nowMs += 300_000;
  expect(waiting(305_000)).toBeUndefined();
  nowMs += 60_000;
  expect(waiting(5_000)).toBeUndefined();
  nowMs += 120_000;
  expect(waiting(5_000)).toBe('waiting for MinIO');
});

test('a stop that was asked for raises no alarm; a checkpoint that fails does', () => {
  isStopping = true;
  expect(note('worker', 'coordinator-lost', 'coordinator lost')).toBeUndefined();
  expect(note('coordinator', 'worker-lost', 'worker lost')).toBeUndefined();
  expect(note('coordinator', 'no-last-checkpoint', 'no checkpoint of its final state', { level: 50 })).toBe(
    'coordinator: no checkpoint of its final state',
  );
  expect(note('coordinator', 'store-waiting', 'waiting for MinIO')).toBe('waiting for MinIO');
});
