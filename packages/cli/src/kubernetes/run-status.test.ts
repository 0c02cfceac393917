import type { V1Job, V1Pod } from '@kubernetes/client-node';
import { Readable } from 'node:stream';
import { FourfoldError } from '@fourfold/common';
import { expect, test } from 'vitest';
import { describeStatus } from './describe.js';
import { labels } from './labels.js';
import { lastLine } from './last-line.js';
import { isPreparation, runStatusOf } from './run-status.js';

const metadata = {
  name: 'prepare-photos',
  labels: { [labels.run]: 'prepare-photos', [labels.role]: 'prepare' },
};
const job = (status: V1Job['status'] = {}): V1Job => ({ metadata, spec: { template: {}, parallelism: 1 }, status });
const pod = (phase: string): V1Pod => ({ metadata, status: { phase } });
const statusOf = (jobs: V1Job[], pods: V1Pod[]) => runStatusOf('prepare-photos', { jobs, pods, events: [] });

test('a preparation has one part, whose state is its own', () => {
  expect(isPreparation(statusOf([job()], []))).toBe(true);
  expect(statusOf([job()], []).state).toBe('starting');
  expect(statusOf([job()], [pod('Running')]).state).toBe('running');
  const ended = (type: string) => job({ conditions: [{ type, status: 'True', message: 'why' }] });
  expect(statusOf([ended('Complete')], [pod('Succeeded')]).state).toBe('finished');
  expect(statusOf([ended('Failed')], [pod('Failed')])).toMatchObject({
    state: 'failed',
    problems: ['the pod has failed: why'],
  });
});

test('a pod that was killed for its memory is a problem until as many run as should', () => {
  const killed: V1Pod = {
    metadata,
    spec: { containers: [{ name: 'prepare', resources: { limits: { memory: '64Mi' } } }] },
    status: {
      phase: 'Failed',
      containerStatuses: [
        {
          ...{ name: 'prepare', image: '', imageID: '', ready: false, restartCount: 0 },
          state: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
        },
      ],
    },
  };
  expect(statusOf([job()], [killed, killed, pod('Pending')]).problems).toEqual([
    '2 pods were killed: out of memory, the limit is 64Mi',
  ]);
  expect(statusOf([job()], [killed, pod('Running')]).problems).toEqual([]);
});

test('its progress is the last line of its log', async () => {
  const line = 'prepare: 1200/350000 photographs  90/s  ETA 1h 5m  1199 taken';
  const progress = await lastLine({ openLog: () => Promise.resolve(Readable.from([`${line}\n`])) }, [pod('Running')]);
  const text = describeStatus({ ...statusOf([job()], [pod('Running')]), progress });
  expect(text.split('\n').slice(0, 2)).toEqual(['prepare-photos: running', line]);
});

test('a log that does not exist yet, or that the user may not read, leaves the progress out', async () => {
  const openLog = () => Promise.reject(new FourfoldError('invalid', 'pods/log is forbidden'));
  expect(await lastLine({ openLog }, [pod('Running')])).toBeUndefined();
  expect(await lastLine({ openLog }, [pod('Pending')])).toBeUndefined();
});
