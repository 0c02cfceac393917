import { createHopBar } from '../exchange/barred-hops.js';
import { EventEmitter } from 'node:events';
import { status } from '@grpc/grpc-js';
import { createLogger, parseRunConfig } from '@fourfold/common';
import { protocolVersion, type CoordinatorMessage, type Register, type WorkerMessage } from '@fourfold/rpc';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLeaseBoard, type LeaseBoard } from '../leases/lease-board.js';
import type { ServiceHost } from './service-host.js';
import { createCoordinatorService } from './service.js';
import { lingerMs } from './session-state.js';
import type { Answer, Work } from './work.js';

const log = createLogger('test');
log.level = 'silent';
const config = parseRunConfig(
  { name: 'small', dataset: 'd', phases: [{ kind: 'mse', iterations: 1, learningRate: 1 }] },
  'a test',
);
const kind = {
  ...{ backend: 'wasm', version: '1', device: 'cpu', instructionSet: 'simd', threads: 1, precision: 'f32' },
  decoder: 'libvips',
  featureWeights: '',
};
const register: Register = {
  protocolVersion,
  run: 'small',
  kind,
  exchangeAddress: '127.0.0.1:1',
  ...{ datasetSha256: '', config: '' },
  machine: '0'.repeat(32),
};

const gone = vi.fn();
let board: LeaseBoard<Work, Answer>;
let service: ReturnType<typeof createCoordinatorService>;
beforeEach(() => {
  vi.useFakeTimers();
  gone.mockClear();
  const { timing, workers } = config;
  board = createLeaseBoard<Work, Answer>(3, { timing, workers, mayGrant: () => true }, log);
  const nothing = () => undefined;
  const failures = { restsUntilMs: () => undefined, joined: nothing, gone, failed: nothing, leaving: nothing };
  const host = {
    config,
    term: 3,
    board,
    failures,
    exchange: { handlers: {}, bar: createHopBar() },
    admit: () => ({
      welcome: { sharedMemory: false, parameters: [] },
      transport: 'grpc',
      seated: nothing,
      close: nothing,
    }),
  };
  service = createCoordinatorService(host as unknown as ServiceHost, log);
});
afterEach(() => {
  vi.useRealTimers();
});

/** A control stream without a wire, from the worker's side. */
function join(...messages: WorkerMessage[]) {
  const heard: CoordinatorMessage[] = [];
  const ends: (string | number)[] = [];
  const call = Object.assign(new EventEmitter(), {
    write: (message: CoordinatorMessage) => heard.push(message),
    end: () => ends.push('ended'),
    getPeer: () => 'a test',
  });
  call.on('error', ({ code }: { code: number }) => ends.push(code));
  service.handlers.Join(call as unknown as Parameters<typeof service.handlers.Join>[0]);
  for (const message of messages) call.emit('data', message);
  return { heard, ends, call };
}

test('a run that ends releases its workers, including late ones', () => {
  const worker = join({ register });
  service.close('the run is finished');
  const late = join();
  for (const { heard, ends } of [worker, late]) {
    expect(heard.at(-1)).toEqual({ runEnded: { reason: 'the run is finished' } });
    expect(ends).toEqual(['ended']);
  }
});

test('a superseded coordinator releases its workers to its successor: the run has not ended for them', () => {
  const workers = [join({ register }), join({ register })];
  expect(board.workerCount()).toBe(2);
  service.release('a newer coordinator has taken over');
  for (const { heard, ends } of [...workers, join()]) {
    expect(heard.some((message) => message.runEnded)).toBe(false);
    expect(ends).toEqual([status.ABORTED]);
  }
  service.heartbeat();
  expect(workers[0].heard.filter(({ heartbeat }) => heartbeat)).toEqual([]);
});

test.each([
  ['a connection that breaks', (call: EventEmitter) => call.emit('cancelled'), ['a']],
  ['silence', () => vi.advanceTimersByTime(config.timing.silenceMs + 1), ['a']],
  ['a worker that leaves', (call: EventEmitter) => call.emit('end'), []],
])('%s: the tasks that the worker lost without a word are reported', (_, happens, lost) => {
  board.add({ key: 'a', priority: 0, work: {} as Work });
  const { call } = join({ register });
  happens(call);
  board.replan();
  expect(gone).toHaveBeenCalledExactlyOnceWith(1, lost);
});

test('a stream on which nobody registers ends', () => {
  const { ends } = join();
  vi.advanceTimersByTime(config.timing.silenceMs - 1);
  expect(ends).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ends).toEqual([status.DEADLINE_EXCEEDED]);
});

test('a first message that is not a Register is refused and counted', () => {
  const { ends } = join({ heartbeat: {} });
  expect(ends).toEqual([status.FAILED_PRECONDITION]);
  expect([service.refused(), board.workerCount()]).toEqual([1, 0]);
});

test('a malformed message costs the worker its seat at once', () => {
  const { ends } = join(
    { register },
    {
      gradientReady: { token: { term: -1, number: 1 } },
    },
  );
  expect(ends).toEqual([status.INVALID_ARGUMENT]);
  expect([board.workerCount(), service.workers().size]).toEqual([0, 0]);
});

test('a worker that has lost its seat hears of it a heartbeat after it is awake; until then its answers are refused', () => {
  const { call, ends } = join({ register });
  board.leave(1, 'silent for 9 ms');
  vi.advanceTimersByTime(lingerMs - 1);
  expect(ends).toEqual([]);
  const late = { evaluationDone: { token: { term: 3, number: 1 }, scores: [] } };
  for (let i = 0; i < 2; i++) call.emit('data', late);
  expect(board.counts().refused).toBe(2);
  vi.advanceTimersByTime(config.timing.heartbeatMs);
  expect(ends).toEqual([status.ABORTED]);
  call.emit('data', late);
  expect(board.counts().refused).toBe(2);
});

test('a worker that has lost its seat and stays silent is cut off', () => {
  const { ends } = join({ register });
  board.leave(1, 'silent for 9 ms');
  vi.advanceTimersByTime(lingerMs);
  expect(ends).toEqual([status.ABORTED]);
});
