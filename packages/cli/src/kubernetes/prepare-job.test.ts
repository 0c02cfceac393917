import type { V1Job } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { checkPlaces, prepareName, renderPrepare, type PrepareJobOptions } from './prepare-job.js';

const basis = { images: ['s3://raw/photos'], out: 's3://fourfold/photos', args: [], image: 'fourfold:1', tls: false };

async function jobOf(options: Partial<PrepareJobOptions>): Promise<V1Job> {
  return await renderPrepare({ ...basis, ...options });
}

const podOf = ({ spec }: V1Job) => spec?.template.spec;
const containerOf = (job: V1Job) => podOf(job)?.containers[0];

test('photographs of the object store: the arguments of prepare, in a Job that is found by the dataset’s name', async () => {
  const job = await jobOf({ args: ['--tile=480'], namespace: 'team', queue: 'research' });
  expect(job.metadata).toMatchObject({
    name: 'prepare-photos',
    namespace: 'team',
    labels: { 'app.kubernetes.io/instance': 'prepare-photos', 'kueue.x-k8s.io/queue-name': 'research' },
  });
  const { image, command, args } = containerOf(job) ?? {};
  expect({ image, command, args }).toEqual({
    image: 'fourfold:1',
    command: ['fourfold', 'prepare'],
    args: ['--if-missing', '--images=s3://raw/photos', '--out=s3://fourfold/photos', '--tile=480'],
  });
  expect(podOf(job)?.volumes?.map(({ name }) => name)).toEqual(['access', 'tmp']);
});

test('photographs of a volume: it is mounted read-only, and paths are in it', async () => {
  const job = await jobOf({ claim: 'pictures', images: ['imagenet/train', '/DIV2K.zip', '.'] });
  expect(podOf(job)?.volumes?.at(-1)).toEqual({
    name: 'photographs',
    persistentVolumeClaim: { claimName: 'pictures', readOnly: true },
  });
  expect(containerOf(job)?.volumeMounts?.at(-1)).toMatchObject({ mountPath: '/photographs', readOnly: true });
  expect(containerOf(job)?.args?.slice(1, 4)).toEqual([
    '--images=/photographs/imagenet/train',
    '--images=/photographs/DIV2K.zip',
    '--images=/photographs',
  ]);
});

test('its pod takes the options of pods, and with TLS the authority alone', async () => {
  const job = await jobOf({
    tls: true,
    cpu: '16',
    memory: '8Gi',
    nodeSelector: { pool: 'cpu' },
    labels: { team: 'a' },
  });
  expect(podOf(job)).toMatchObject({ nodeSelector: { pool: 'cpu' } });
  expect(containerOf(job)?.resources).toEqual({ requests: { cpu: '16', memory: '8Gi' }, limits: { memory: '8Gi' } });
  expect(job.spec?.template.metadata?.labels).toMatchObject({ team: 'a', 'app.kubernetes.io/component': 'prepare' });
  expect(containerOf(job)?.env).toContainEqual({ name: 'NODE_EXTRA_CA_CERTS', value: '/run/tls/ca.crt' });
  expect(podOf(job)?.volumes?.find(({ name }) => name === 'tls')?.secret?.items).toEqual([
    { key: 'ca.crt', path: 'ca.crt' },
  ]);
});

test.each([
  [{ images: ['~/photos'] }, '--images is ~/photos: a pod does not see this machine’s folders'],
  [{ images: ['s3://raw/photos', 'photos'] }, '--images is photos: a pod does not see'],
  [
    { images: ['https://example.com/a.zip'], claim: 'one' },
    '--images is https://example.com/a.zip: prepare does not read such URLs',
  ],
  [{ images: ['../other'], claim: 'one' }, '--images is ../other: it leads out of the claim’s volume'],
  [{ out: 'out/photos' }, '--out is out/photos: a pod does not see'],
])('%j is refused before anything is sent', (places, reason) => {
  expect(() => checkPlaces({ ...basis, ...places })).toThrow(
    expect.objectContaining({ code: 'invalid', message: expect.stringContaining(reason) as string }),
  );
});

test('a dataset whose name Kubernetes does not allow needs another name', () => {
  expect(prepareName({ out: 's3://fourfold/photos/v1' })).toBe('prepare-v1');
  expect(() => prepareName({ out: 's3://fourfold/My_Photos' })).toThrow('the Job’s name would be prepare-My_Photos');
  expect(prepareName({ out: 's3://fourfold/My_Photos', name: 'mine' })).toBe('prepare-mine');
});
