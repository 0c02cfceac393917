import { EventEmitter } from 'node:events';
import { status } from '@grpc/grpc-js';
import { createLogger, FourfoldError } from '@fourfold/common';
import type { CoordinatorClient, WorkerMessage } from '@fourfold/rpc';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { joinCoordinator, leaveMs, type SessionEvents } from './session.js';

/*
 * A session on a control stream that the test plays, on a clock that it moves.
 */

const timing = { heartbeatMs: 1_000, silenceMs: 10_000 } as Parameters<typeof joinCoordinator>[2];
const machine = '0'.repeat(32);
const register = { protocolVersion: 3, run: 'photos', machine };
const token = { term: 1, number: 7 };
const log = createLogger('test');
log.level = 'silent';
const nothing = () => undefined;
const events: SessionEvents = { welcome: nothing, lease: nothing, leaseEnded: nothing, newParameters: nothing };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function join() {
  const said: (WorkerMessage | 'end')[] = [];
  const stream = Object.assign(new EventEmitter(), {
    write: (message: WorkerMessage) => said.push(message),
    end: () => said.push('end'),
    cancel: () => stream.emit('error', Object.assign(new Error('cancelled'), { code: status.CANCELLED })),
  });
  const client = { Join: () => stream } as unknown as CoordinatorClient;
  const session = joinCoordinator(client, register, timing, events, log);
  session.end.catch(nothing);
  return { session, stream, said: () => said.slice(1) };
}

test('an unfit worker reports at which lease and why, before it ends', async () => {
  const { session, stream, said } = join();
  session.fail(new FourfoldError('no-space', 'the cache is full', { hint: 'free some space' }), token);
  const reason = 'the cache is full; free some space';
  const leaving = { code: 'no-space', reason, token, protocolVersion: 3, run: 'photos', machine };
  expect(said()).toEqual([{ leaving }, 'end']);
  session.send({ heartbeat: {} });
  expect(said()).toHaveLength(2);
  stream.emit('end');
  await expect(session.end).rejects.toMatchObject({ code: 'no-space' });
});

test('a coordinator that does not answer does not keep a worker', async () => {
  const { session } = join();
  session.fail(new Error('a kernel hangs'));
  vi.advanceTimersByTime(leaveMs);
  await expect(session.end).rejects.toThrow('a kernel hangs');
});

test('a worker that is dismissed ends with the coordinator’s reason', async () => {
  const { session, stream, said } = join();
  stream.emit('data', { dismissed: { code: 'unavailable', reason: 'nobody reaches 10.0.0.7:7001' } });
  expect(said()).toEqual(['end']);
  stream.emit('end');
  await expect(session.end).rejects.toMatchObject({ code: 'unavailable', message: 'nobody reaches 10.0.0.7:7001' });
});

test('events after the end have no effect', async () => {
  const { session, stream, said } = join();
  stream.emit('data', { runEnded: { reason: 'the run is finished' } });
  stream.emit('end');
  expect(await session.end).toEqual({ ended: true, reason: 'the run is finished' });
  session.fail(new Error('too late'), token);
  session.send({ heartbeat: {} });
  expect(said()).toEqual([]);
});
