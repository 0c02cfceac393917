import { createLogger, type PhaseConfig } from '@fourfold/common';
import { beforeEach, expect, test, vi } from 'vitest';
import { serveUntilOver, type Coordinators } from './serve-until-over.js';

const phase: PhaseConfig = { kind: 'mse', iterations: 9, learningRate: 1e-4, decay: 'constant' };
const config = { name: 'photos', phases: [phase], timing: { patienceMs: 300 } } as Coordinators['config'];
const lost = { ended: false, reason: 'no answer', joined: false } as const;
const log = createLogger('test');
log.level = 'silent';

let said: { event: string; text: string }[];
beforeEach(() => {
  said = [];
  const note = (fields: object, text?: string) =>
    void said.push({ ...(fields as { event: string }), text: text ?? '' });
  vi.spyOn(log, 'info').mockImplementation(note as typeof log.info);
  vi.spyOn(log, 'warn').mockImplementation(note as typeof log.warn);
});

const serve = (changes: Partial<Coordinators>) =>
  serveUntilOver({
    config,
    find: () => Promise.resolve('host:1'),
    serveOne: () => Promise.resolve(lost),
    endedAt: () => Promise.resolve(undefined),
    signal: new AbortController().signal,
    log,
    ...changes,
  });

test('a worker that comes after the end says that the run is over, and raises no alarm', async () => {
  await serve({ endedAt: () => Promise.resolve(9) });
  expect(said.map(({ text }) => text)).toEqual([
    'run photos is over: it finished at iteration 9; to train it further, resume it with a longer schedule, such as --resume --set phases.0.iterations=N',
  ]);
});

test('a worker that is told of the end says so', async () => {
  await serve({ serveOne: () => Promise.resolve({ ended: true, reason: 'the run is finished', joined: true }) });
  expect(said).toMatchObject([{ event: 'run-over', text: 'run photos is over: the run is finished' }]);
});

test('with a longer schedule it waits for a coordinator, says why, and less and less often', async () => {
  await expect(serve({ endedAt: () => Promise.resolve(5) })).rejects.toMatchObject({
    code: 'unavailable',
    message: 'no coordinator of run photos was found for 300 ms; the run finished at iteration 5',
  });
  expect(said[0]).toMatchObject({
    event: 'run-finished-before',
    text: 'run photos finished at iteration 5, and this config has 9: waiting for a coordinator that resumes it',
  });
  expect(said).toHaveLength(2);
});

test('a coordinator that was joined and is lost is an alarm; one that is not reached is repeated seldom', async () => {
  const ends = [{ ...lost, joined: true }, lost, lost, lost];
  await expect(serve({ serveOne: () => Promise.resolve(ends.shift() ?? lost) })).rejects.toThrow('no coordinator');
  expect(said.slice(0, 3).map(({ event }) => event)).toEqual([
    'coordinator-lost',
    'coordinator-away',
    'coordinator-away',
  ]);
});
