import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject, V1ConfigMap, V1HTTPGetAction } from '@kubernetes/client-node';
import { makeCertificates } from '@fourfold/rpc/certificates';
import { createGuard, findProgram, requireProgram, type ServerProgram } from '@fourfold/local-servers';
import { afterEach, describe, expect, test } from 'vitest';
import { get } from './support/metrics.js';
import { clusterConfig } from './support/cluster-config.js';
import { accessSecret as access, kustomize } from './support/kubernetes.js';
import { podProcess, templateOf, type PodWorld } from './support/pod-processes.js';
import { killAll, photographs, startFourfold, type Process } from './support/process.js';
import { lacks } from './support/needs.mjs';

/*
 * The manifests' command lines are the real ones: every container of the rendered YAML runs as a process here, and a run
 * finishes.
 */

const programs = ['kustomize', 'nats-server', 'minio'] as const;
const canRun = programs.every(findProgram) && process.platform === 'linux';
const run = 'first';

describe.skipIf(lacks('kubernetes', canRun))(
  'the processes of deploy/k8s (after npm run setup:servers -- kubernetes)',
  () => {
    const closing: (() => Promise<void>)[] = [];

    afterEach(async () => {
      await killAll();
      for (const close of closing.splice(0).reverse()) await close();
    });

    /** Addresses that no other process of this machine listens on. */
    const network = () => `127.${randomInt(2, 250)}.${randomInt(1, 250)}`;

    async function createWorld(paths: readonly string[]) {
      const folder = await mkdtemp(join(tmpdir(), 'fourfold-pods-'));
      closing.push(() => rm(folder, { recursive: true, force: true }));
      const net = network();
      const services = { 'fourfold-nats': `${net}.2`, 'fourfold-minio': `${net}.3` };
      const objects = (await Promise.all(paths.map((path) => kustomize(path)))).flat().map(withSmallConfig);
      const secrets = {
        ...(await certificateSecrets(join(folder, 'tls'), Object.values(services))),
        'fourfold-access': access,
      };
      const world: PodWorld = { objects, secrets, services, folder };
      let pods = 10;
      /** Start a pod's container; `args` instead of its own, or `more` beside them. */
      const startPod = async (
        role: string,
        args?: string[],
        more: string[] = [],
      ): Promise<Process & { address: string; probes: string[] }> => {
        const address = `${net}.${pods++}`;
        const template = templateOf(objects, 'Job', role === 'prepare' ? 'prepare-photos' : `${run}-${role}`);
        const { command, environment, container } = await podProcess(world, template, {
          name: `${role}-${pods}`,
          address,
        });
        const [program, ...own] = command;
        expect(program).toBe('fourfold');
        const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
        const process = startFourfold(args ?? [...own, ...more], ['env', '-i', ...variables]);
        const probes = [container.livenessProbe, container.readinessProbe].flatMap((probe) =>
          probe?.httpGet ? [urlOf(address, probe.httpGet, container.ports)] : [],
        );
        return { ...process, address, probes };
      };
      const startServer = async (kind: string, name: keyof typeof services) => {
        const { command, environment } = await podProcess(world, templateOf(objects, kind, name), {
          name,
          address: services[name],
        });
        const path = requireProgram(command[0] as ServerProgram);
        const guard = createGuard();
        const server = spawn(path, command.slice(1), { env: environment, stdio: 'ignore' });
        guard.watch(server.pid);
        closing.push(() => guard.close());
      };
      await Promise.all([startServer('Deployment', 'fourfold-nats'), startServer('StatefulSet', 'fourfold-minio')]);
      return { startPod };
    }

    /** A cluster with these parts of deploy/k8s, and a dataset. */
    async function prepareWorld(...paths: string[]) {
      const { startPod } = await createWorld(paths);
      const images = join(photographs, 'train');
      const prepare = ['prepare', '--images', images, '--out', 's3://fourfold/dataset', '--sample', '6', '--seed', '1'];
      const prepared = await startPod(paths.includes('prepare') ? 'prepare' : 'data-loader', prepare);
      expect((await prepared.exit).code, prepared.errors.join('\n')).toBe(0);
      return { startPod };
    }

    /** A run with a coordinator, a data-loader and two workers that have joined. */
    async function startRun(...paths: string[]) {
      const { startPod } = await prepareWorld(...paths);
      const roles = ['coordinator', 'data-loader', 'worker', 'worker'];
      const [coordinator, loader, ...workers] = await Promise.all(roles.map((role) => startPod(role)));
      await Promise.all(workers.map((worker) => worker.waitFor(({ event }) => event === 'joined', 'joining')));
      return { startPod, coordinator, loader, workers };
    }

    const exitCodes = async (parts: Process[]) => Promise.all(parts.map(async ({ exit }) => (await exit).code));

    test('base, prepare and run: workers that share a pod are restarted, the run finishes, and late workers learn of it', async () => {
      const { startPod } = await prepareWorld('base', 'prepare', 'run');
      const pod = await startPod('worker', undefined, ['--gpus=2']);
      const pids = new Set<unknown>();
      const nextStarted = async () => {
        const { pid } = await pod.waitFor(({ event, pid }) => event === 'started' && !pids.has(pid), 'a worker');
        pids.add(pid);
        return Number(pid);
      };
      const [first] = [await nextStarted(), await nextStarted()];
      process.kill(first, 'SIGKILL');
      await nextStarted();
      const [coordinator, loader] = await Promise.all(['coordinator', 'data-loader'].map((role) => startPod(role)));
      const parts = [coordinator, loader, pod];
      const isReady = (url: string) => expect.poll(async () => (await fetch(url)).status).toBe(200);
      await Promise.all(parts.flatMap(({ probes }) => probes).map(isReady));
      expect(await exitCodes(parts)).toEqual([0, 0, 0]);
      const late = await Promise.all(['worker', 'data-loader', 'coordinator'].map((role) => startPod(role)));
      expect(await exitCodes(late)).toEqual([0, 0, 0]);
    });

    test('overlays/tls, and a run with its certificates: a stopped process exits with 143, and the next term resumes', async () => {
      const { startPod, coordinator, loader, workers } = await startRun('overlays/tls', 'overlays/jobset/both');
      const [worker, leaving] = workers;
      const { address } = await coordinator.waitFor(({ event }) => event === 'http', 'its HTTP server');
      // A run that has done nothing has nothing to save.
      const iteration = /^fourfold_iteration(\{.*\})? [1-9]/m;
      await expect
        .poll(() => get(String(address), '/metrics'))
        .toMatchObject({
          text: expect.stringMatching(iteration) as string,
        });
      for (const part of [coordinator, leaving]) {
        part.child.kill('SIGTERM');
        expect((await part.exit).code, part.errors.join('\n')).toBe(143);
      }
      const next = await startPod('coordinator');
      const resumed = await next.waitFor(({ event }) => event === 'resumed', 'the checkpoint');
      // Other checkpoints are due at the end of a phase.
      const written = coordinator.events.filter(({ event }) => event === 'checkpoint');
      expect(written.at(-1)?.['iteration']).toBe(resumed['iteration']);
      expect(await exitCodes([next, loader, worker])).toEqual([0, 0, 0]);
    });
  },
);

const phases = [
  { kind: 'mse', iterations: 30, learningRate: 1e-3 },
  { kind: 'gan', iterations: 30, learningRate: 1e-4 },
];

/** Another run in the run's ConfigMap, as users put theirs. */
function withSmallConfig(object: KubernetesObject): KubernetesObject {
  if (object.kind !== 'ConfigMap' || object.metadata?.name !== `${run}-run`) return object;
  const places =
    'dataset: s3://fourfold/dataset\nstore: s3://fourfold/store\nbatches: { from: nats, announceMs: 200 }\n' +
    // As between pods, which share no memory.
    'exchange: { transport: stream }\n';
  const config = clusterConfig(phases, undefined, { checkpointEvery: 1000 });
  return { ...object, data: { 'run.yaml': `name: ${run}\n${config}${places}` } } as V1ConfigMap;
}

/** The Secrets that cert-manager would make of the overlay's Certificates. */
async function certificateSecrets(folder: string, hosts: string[]): Promise<PodWorld['secrets']> {
  const { authority, certificates } = await makeCertificates(folder, { days: 1, hosts });
  const ca = await readFile(authority.certificate, 'utf8');
  const made = Object.entries(certificates).map(async ([name, { certificate, key }]) => {
    const pair = { 'tls.crt': await readFile(certificate, 'utf8'), 'tls.key': await readFile(key, 'utf8') };
    return [`fourfold-${name}-tls`, { ...pair, 'ca.crt': ca }];
  });
  return Object.fromEntries(await Promise.all(made)) as PodWorld['secrets'];
}

const urlOf = (
  address: string,
  { path, port }: V1HTTPGetAction,
  ports: { name?: string; containerPort: number }[] = [],
) => `http://${address}:${ports.find(({ name }) => name === port)?.containerPort}${path}`;
