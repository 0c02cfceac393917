import type { KubernetesObject, V1ConfigMap, V1PodSpec } from '@kubernetes/client-node';
import { expect, test, vi } from 'vitest';
import { fourfoldImage } from '../support/cluster-images.js';
import { weightsOfOneWorker, type FinalWeights } from '../support/final-weights.js';
import { startJobSet } from '../support/jobset.js';
import { kustomize } from '../support/kubernetes.js';
import { clusterQueue, startKueue } from '../support/kueue.js';
import { expectFinished } from '../support/process.js';
import { patience } from '../support/real-nodes.js';
import { config, configOf, inNamespace, onFirstNode, placedOnFirstNode, short, type Runs } from './runs.js';

/** Runs by the overlays of deploy/k8s that need controllers of others, which run beside the API server. They end by themselves. Kueue, which takes long to start, comes last. */
export function testOverlays(runs: () => Runs): void {
  let alone: Promise<FinalWeights> | undefined;
  const expectWeights = async (run: string) =>
    expect(await runs().weightsOf(run)).toEqual(await (alone ??= weightsOfOneWorker(config(short))));

  test.sequential('a JobSet ends with the weights of one process', async () => {
    const { cluster } = runs();
    await cluster.defineResources(/^jobset\./);
    await startJobSet(cluster);
    const objects = (await kustomize('overlays/jobset')).map(asTheTestHasIt);
    for (const object of objects) await vi.waitFor(() => cluster.apply(object), patience);
    const jobSet = objects.find(({ kind }) => kind === 'JobSet') as KubernetesObject;
    await vi.waitFor(async () => {
      const { status } = (await cluster.apply(jobSet)) as { status?: { terminalState?: string } };
      expect(status?.terminalState, JSON.stringify(status)).toBe('Completed');
    }, patience);
    await expectWeights('first');
  });

  test.sequential(
    'Kueue holds a run until its queue has a quota; it ends with the weights of one process',
    async () => {
      const { cluster, submit, watch } = runs();
      const kueue = await startKueue(cluster, []);
      const run = 'queued';
      const submitted = await submit(run, short, '--queue', 'fourfold', ...onFirstNode);
      expect(submitted.code, submitted.stderr).toBe(0);
      expect(submitted.stdout).toContain('is queued');
      const status = watch(run);
      await status.next('queued', ({ state }) => state === 'queued');
      const logs = cluster.follow(run, ...inNamespace);
      const overlay = await kustomize('overlays/kueue');
      const queues = overlay.filter(({ kind }) => kind === 'LocalQueue');
      const quota = clusterQueue({ cpu: '8', memory: '8Gi', 'ephemeral-storage': '1Ti' });
      for (const object of [...quota, ...queues]) await vi.waitFor(() => cluster.apply(object), patience);
      await expectFinished(status);
      await expectFinished(logs);
      expect(logs.output()).toContain('the run is finished');
      await expectWeights(run);
      await kueue.stop();
    },
  );
}

/** A JobSet, and what is in it. */
type JobSet = KubernetesObject & {
  spec: { replicatedJobs: { template: { spec: { template: { spec: V1PodSpec } } } }[] };
};

/** What a user changes of the overlay in a kustomization of one's own: the config, the image, sizes and places. */
function asTheTestHasIt(object: KubernetesObject): KubernetesObject {
  const changed = structuredClone(object);
  if (changed.kind === 'ConfigMap') (changed as V1ConfigMap).data = { 'run.yaml': configOf('first', short) };
  if (changed.kind !== 'JobSet') return changed;
  for (const { template } of (changed as JobSet).spec.replicatedJobs) {
    const pod = template.spec.template.spec;
    Object.assign(pod, placedOnFirstNode);
    const [container] = pod.containers;
    container.image = fourfoldImage;
    container.resources = { requests: { cpu: '1', memory: '1Gi' } };
  }
  return changed;
}
