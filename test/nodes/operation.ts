import { expect, test, vi } from 'vitest';
import { namespace } from '../support/guide-namespace.js';
import { patience } from '../support/real-nodes.js';
import { expectScraped } from './monitoring.js';
import { endless, inNamespace, onFirstNode, type Runs } from './runs.js';

/** `fourfold scale`, `logs --follow`, `status --watch` and `cancel`, Prometheus, and a coordinator whose pod is deleted. */
export function testOperation(runs: () => Runs): void {
  test.sequential('a run is scaled and loses its coordinator’s pod, which change no bit', async () => {
    const { cluster, expectWeightsOfOneProcess, fourfold, submit, untilReplaced, watch } = runs();
    const run = 'scaled';
    const submitted = await submit(run, endless, '--workers', '1', ...onFirstNode);
    expect(submitted.code, submitted.stderr).toBe(0);
    const logs = cluster.follow(run, ...inNamespace);
    const status = watch(run);
    const alone = await status.progress(0, 1);
    await fourfold('scale', run, '--workers', '2');
    const both = await status.progress(alone);
    await expectScraped(runs(), run, { coordinator: 1, worker: 2, 'data-loader': 1 });

    const [coordinator] = await cluster.podsOf(namespace, run, 'coordinator');
    await cluster.core.deleteNamespacedPod({ name: coordinator.metadata?.name as string, namespace });
    await untilReplaced(run, [coordinator], 4);
    const replaced = await status.progress(both);
    // The log of the pod that replaces it is followed, too.
    const terms = () => [...logs.output().matchAll(/"event":"listening".*"term":(\d+)/g)].map(([, term]) => term);
    await vi.waitFor(() => expect(terms(), logs.errors.join('\n')).toEqual(['1', '2']), patience);

    await fourfold('scale', run, '--workers', '1');
    await status.progress(replaced, 1);
    await fourfold('cancel', run);
    await expectWeightsOfOneProcess(run);
  });
}
