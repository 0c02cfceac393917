import { expect, test, vi } from 'vitest';
import { weightsOfOneWorker } from '../support/final-weights.js';
import { kustomize } from '../support/kubernetes.js';
import { clusterQueue, startKueue } from '../support/kueue.js';
import { expectFinished } from '../support/process.js';
import { patience } from '../support/real-nodes.js';
import { config, inNamespace, onFirstNode, short, type Runs } from './runs.js';

/** A run in the queue of the overlay `kueue`, whose controller runs beside the API server. It ends by itself. */
export function testOverlays(runs: () => Runs): void {
  test.sequential(
    'Kueue holds a run until its queue has a quota; it ends with the weights of one process',
    async () => {
      const { cluster, submit, watch, weightsOf } = runs();
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
      expect(await weightsOf(run)).toEqual(await weightsOfOneWorker(config(short)));
      await kueue.stop();
    },
  );
}
