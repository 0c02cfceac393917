import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '@fourfold/local-servers';
import { clusterConfig } from './support/cluster-config.js';
import { startCluster, type Cluster } from './support/cluster.js';
import { pulledWeights, weightsOfOneWorker } from './support/final-weights.js';
import { expectFinished, killAll } from './support/process.js';
import { patientTiming } from './support/timing.js';
import { lacks } from './support/needs.mjs';

/*
 * The whole cluster, certificates everywhere: NATS, MinIO, a coordinator, three workers, two data-loaders.
 */

const servers = ['nats-server', 'minio'] as const;

describe.skipIf(lacks('servers', servers.every(findProgram)))('a cluster (after npm run setup:servers)', () => {
  const phases = [
    { kind: 'mse', iterations: 4, learningRate: 1e-3 },
    { kind: 'gan', iterations: 4, learningRate: 1e-4 },
    { kind: 'gan', iterations: 4, learningRate: 1e-5 },
  ];
  // A worker that is lost for being slow would join again under another number.
  const config = clusterConfig(phases, patientTiming);
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ config, name: 'whole' });
  });
  afterEach(killAll);
  afterAll(() => cluster.stop());

  test('4 replicas on 3 workers with 2 data-loaders give the weights of one worker without servers', async () => {
    const reference = await weightsOfOneWorker(config);
    const { process: coordinator } = await cluster.startCoordinator('--set', 'workers.minimumToStart=3');
    const loaders = [cluster.startLoader(), cluster.startLoader()];
    const workers = [cluster.startWorker(), cluster.startWorker(), cluster.startWorker()];
    await expectFinished(coordinator);
    for (const worker of workers) await expectFinished(worker);
    const { generator, average, discriminator } = reference;
    expect(await pulledWeights(cluster)).toMatchObject({ generator, average, discriminator });

    const all = [coordinator, ...workers, ...loaders];
    for (const loader of loaders) loader.child.kill('SIGTERM');
    for (const loader of loaders) expect(await loader.exit).toEqual({ code: 143, signal: null });
    // Every worker computed, and every data-loader made batches.
    const leases = coordinator.events.filter(({ event }) => event === 'lease');
    expect(new Set(leases.map(({ worker }) => worker)).size).toBe(3);
    const said = all.map(({ events, errors }) => JSON.stringify([events, errors])).join('\n');
    for (const secret of cluster.servers.secrets) expect(said).not.toContain(secret);
  });
});
