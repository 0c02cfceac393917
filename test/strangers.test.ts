import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '@fourfold/local-servers';
import { clusterConfig } from './support/cluster-config.js';
import { startCluster, type Cluster, type Office } from './support/cluster.js';
import { startCorruptingProxy } from './support/corrupting-proxy.js';
import { withEnvironment } from './support/environment.js';
import { pulledWeights, weightsOfOneWorker, type FinalWeights } from './support/final-weights.js';
import { get } from './support/metrics.js';
import { throwNoise } from './support/noise.js';
import { expectFinished, killAll, type Process } from './support/process.js';
import { patientTiming } from './support/timing.js';
import { lacks } from './support/needs.mjs';

/*
 * A whole cluster at work, with certificates everywhere: NATS, MinIO, a coordinator, three workers, two data-loaders. And strangers, who are
 * refused with a reason on both sides and disturb nothing. The tests are about one run, in order.
 */

const noiseSeconds = 12;
/** Connections that each port takes at least. */
const leastNoise = 20;
/** Connections a second to each port. */
const noiseRate = 8;
/** Each half of an iteration takes two of these at least, for its parameters and for its lease. */
const roundTripMs = 120;
const phases = [
  { kind: 'mse', iterations: 15, learningRate: 1e-3 },
  { kind: 'gan', iterations: 15, learningRate: 1e-4 },
  { kind: 'gan', iterations: 15, learningRate: 1e-5 },
];
/** Its files are held back until all strangers have been there. */
const lastCheckpoint = /\/checkpoints\/00000045-/;
/** No worker is lost for being slow: a lost one was disturbed. */
const config = clusterConfig(phases, patientTiming);
/** Streams, so that parameters and gradients cross the ports. */
const settings = ['exchange.transport=grpc', 'checkpoints.every=30', 'workers.minimumToStart=3'];
const args = ['--http', '127.0.0.1:0', ...settings.flatMap((setting) => ['--set', setting])];

type Environment = Record<string, string>;
const without = (environment: Environment, ...names: string[]): Environment =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)));
const addressIn = async (part: Process, event: string): Promise<string> =>
  String((await part.waitFor((line) => line.event === event, event))['address']);

describe.skipIf(lacks('servers', (['nats-server', 'minio'] as const).every(findProgram)))(
  'a cluster among strangers (after npm run setup:servers)',
  () => {
    let cluster: Cluster;
    let reference: Promise<FinalWeights>;
    let office: Office;
    let workers: Process[];
    let loaders: Process[];
    let letEnd: () => void;

    beforeAll(async () => {
      // At the same time as the cluster, which mostly waits for its network.
      reference = weightsOfOneWorker(config);
      reference.catch(() => undefined);
      cluster = await startCluster({ config, name: 'strangers', roundTripMs });
      office = await cluster.startCoordinator(...args);
      const until = new Promise<void>((resolve) => (letEnd = resolve));
      office.gate.decide(({ path }) => (lastCheckpoint.test(path) ? { until } : 'pass'));
      loaders = [cluster.startLoader(...args), cluster.startLoader(...args)];
      workers = [cluster.startWorker(...args), cluster.startWorker(...args), cluster.startWorker(...args)];
      await office.process.waitFor(({ event }) => event === 'update', 'the first update');
    }, 600_000);
    afterAll(async () => {
      await killAll();
      await cluster.stop();
    });

    /** A stranger ends with this reason on one line, and the coordinator has logged that. */
    async function expectRefusal(stranger: Process, says: RegExp, logs: RegExp) {
      const { code } = await stranger.exit;
      expect(code).not.toBe(0);
      expect(stranger.errors).toEqual([expect.stringMatching(says)]);
      const refusal = ({ event, ...line }: { event?: string; [field: string]: unknown }) =>
        ['caller-refused', 'worker-refused'].includes(String(event)) &&
        logs.test(String(line['reason'] ?? line['problem']));
      await office.process.waitFor(refusal, 'the refusal');
    }

    async function expectOldRefused() {
      const proxy = await withEnvironment(cluster.servers.environment('local'), () =>
        startCorruptingProxy(office.proxy.address, {
          message: (message) =>
            message.register ? { register: { ...message.register, protocolVersion: 999 } } : message,
        }),
      );
      const old = cluster.startStranger('worker', {}, '--coordinator', proxy.address);
      const reason = /the worker speaks protocol version 999, this coordinator \d+: use one release for both/;
      await expectRefusal(old, reason, reason);
      await proxy.close();
    }

    async function expectAnonymousRefused() {
      const anonymous = (environment: Environment) =>
        without(environment, 'FOURFOLD_NATS_USER', 'FOURFOLD_NATS_PASSWORD_FILE');
      for (const role of ['data-loader', 'worker'] as const) {
        const stranger = cluster.startStranger(role, { environment: anonymous });
        expect(await stranger.exit).toEqual({ code: 1, signal: null });
        expect(stranger.errors).toEqual([
          expect.stringMatching(
            /^fourfold: NATS refuses this user: .*check FOURFOLD_NATS_USER and FOURFOLD_NATS_PASSWORD$/,
          ),
        ]);
      }
      expect(await cluster.servers.nats.log()).toMatch(/authentication error/);
    }

    // Without a certificate, with another's, or with another token: test/security.test.ts.
    test('nonsense at every port; meanwhile a worker of another protocol version, and parts without credentials for NATS', async () => {
      const { process: coordinator, proxy } = office;
      const parts = [coordinator, ...workers, ...loaders];
      const http = await Promise.all(parts.map((part) => addressIn(part, 'http')));
      const addresses = [
        ...http,
        proxy.address,
        ...(await Promise.all(workers.map((worker) => addressIn(worker, 'started')))),
        cluster.servers.nats.address,
        new URL(cluster.servers.minio.endpoint).host,
      ];
      const over = new AbortController();
      void coordinator.exit.then(() => over.abort());
      const noise = { seconds: noiseSeconds, least: leastNoise, seed: 3, rate: noiseRate, signal: over.signal };
      await Promise.all([throwNoise(addresses, noise), expectOldRefused(), expectAnonymousRefused()]);
      expect(over.signal.aborted).toBe(false);
      for (const address of http) expect(await get(address, '/healthz')).toMatchObject({ status: 200 });
    });

    test('the run ends with the weights of one undisturbed worker without servers; nobody was lost, and no secret is in a log', async () => {
      const { process: coordinator } = office;
      letEnd();
      await expectFinished(coordinator);
      for (const worker of workers) await expectFinished(worker);
      for (const { child, exit } of loaders) {
        child.kill('SIGTERM');
        expect(await exit).toEqual({ code: 143, signal: null });
      }
      expect(coordinator.events.filter(({ event }) => event === 'worker-lost')).toEqual([]);
      const leases = coordinator.events.filter(({ event }) => event === 'lease');
      expect(new Set(leases.map(({ worker }) => worker)).size).toBe(3);
      const { generator, average, discriminator } = await reference;
      expect(await pulledWeights(cluster)).toMatchObject({ generator, average, discriminator });
      const said = cluster.processes.map(({ events, errors }) => JSON.stringify([events, errors])).join('\n');
      for (const secret of cluster.servers.secrets) expect(said).not.toContain(secret);
    });
  },
);
