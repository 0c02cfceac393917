import type { V1Pod } from '@kubernetes/client-node';
import { expect, vi } from 'vitest';
import { clusterConfig } from '../support/cluster-config.js';
import { fourfoldImage } from '../support/cluster-images.js';
import { pulledWeights, weightsOfOneWorker } from '../support/final-weights.js';
import { namespace } from '../support/guide-namespace.js';
import { isRunning } from '../support/kubernetes.js';
import { startFourfold } from '../support/process.js';
import { patience, type RealCluster } from '../support/real-nodes.js';
import { patientTiming } from '../support/timing.js';
import { watchRun } from './watch.js';

type Schedule = { kind: string; iterations: number; learningRate: number }[];
const [pretraining, gan] = [
  { kind: 'mse', iterations: 4, learningRate: 1e-3 },
  { kind: 'gan', iterations: 4, learningRate: 1e-4 },
];
/** Ends by itself. */
export const short: Schedule = [pretraining, gan];
/** Ends when it is cancelled. */
export const endless: Schedule = [pretraining, { ...gan, iterations: 1_000_000 }];

/** Nobody is lost for being slow: what is lost here is lost as a whole. */
const timing = { ...patientTiming, heartbeatMs: 1_000, termCheckMs: 1_000 };

/** An iteration costs next to nothing, since all of them are computed again by one process. */
const sizes = { channels: 4, globalBatch: 2, replicas: 2, crop: 32, checkpointEvery: 20 };

/** The config of a schedule, without places. */
export const config = (schedule: Schedule): string => clusterConfig(schedule, timing, sizes);

/** The config of a run in the prepared namespace. */
export const configOf = (name: string, schedule: Schedule): string =>
  `name: ${name}\n${config(schedule)}dataset: s3://fourfold/dataset\nstore: s3://fourfold/store\nbatches: { from: nats }\n`;

export const inNamespace = ['--namespace', namespace];

/** The pods of a run stay on the first node, also while that is closed: the other is drained and switched off. */
export const onFirstNode = [
  ...['--node-selector', 'kubernetes.io/hostname=node-1', '--toleration', 'node.kubernetes.io/unschedulable'],
  '--place-all-pods',
];

/** The same for a pod that is not submitted. */
export const placedOnFirstNode = {
  nodeSelector: { 'kubernetes.io/hostname': 'node-1' },
  tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }],
};

/** What tests do with runs in the prepared namespace of a cluster; `store` is the environment in which its object store is reached. */
export type Runs = ReturnType<typeof createRuns>;

export function createRuns(cluster: RealCluster, store: Record<string, string>) {
  const podsOf = async (run: string) =>
    (
      await Promise.all(['coordinator', 'worker', 'data-loader'].map((role) => cluster.podsOf(namespace, run, role)))
    ).flat();

  const weightsOf = (run: string) =>
    pulledWeights({
      run: (...args: string[]) => startFourfold(args, [], store),
      runUrl: `s3://fourfold/store/runs/${run}`,
    });

  return {
    cluster,
    podsOf,
    /** Expect that `fourfold ARGS` succeeds in the namespace. */
    fourfold: async (...args: string[]): Promise<void> => {
      const { code, stderr } = await cluster.fourfold(...args, ...inNamespace);
      expect(code, stderr).toBe(0);
    },
    /** `fourfold submit` of a run with one data-loader and 1 GiB for a worker, if nothing else is said. */
    submit: async (name: string, schedule: Schedule, ...more: string[]) => {
      const path = await cluster.writeFile(`${name}.yaml`, configOf(name, schedule));
      const usual = { '--image': fourfoldImage, '--memory': '1Gi', '--data-loaders': '1' };
      const unsaid = Object.entries(usual).filter(([option]) => !more.includes(option));
      return cluster.fourfold('submit', path, ...inNamespace, ...unsaid.flat(), ...more);
    },
    watch: (run: string) => watchRun(cluster, run, inNamespace),
    /** Wait until these pods of a run are gone and `count` run. */
    untilReplaced: (run: string, pods: readonly V1Pod[], count: number) =>
      vi.waitFor(async () => {
        const uids = new Set(pods.map(({ metadata }) => metadata?.uid));
        const all = await podsOf(run);
        const described = all
          .map(({ metadata, spec, status }) => `${metadata?.name} ${spec?.nodeName} ${status?.phase}`)
          .join();
        expect(all.filter(({ metadata }) => uids.has(metadata?.uid)).filter(isRunning), described).toEqual([]);
        expect(all.filter(isRunning), described).toHaveLength(count);
      }, patience),
    weightsOf,
    /** Expect that an endless run, now cancelled, has the weights of one process that ends where it was. */
    expectWeightsOfOneProcess: async (run: string): Promise<void> => {
      const { generator, average, discriminator, versions } = await weightsOf(run);
      const iterations = versions.generator - pretraining.iterations;
      const at = (iterations: number) => weightsOfOneWorker(config([pretraining, { ...gan, iterations }]));
      const alone = await at(iterations);
      expect({ generator, average }).toEqual({ generator: alone.generator, average: alone.average });
      const isBetweenHalves = versions.discriminator > iterations;
      expect(discriminator).toBe((isBetweenHalves ? await at(iterations + 1) : alone).discriminator);
    },
  };
}
