import { expect, test } from 'vitest';
import { expectPolicies } from './policies.js';
import { endless, type Runs } from './runs.js';

/** A run that moves between nodes, the second of which is closed at first and lost later. What NetworkPolicies let pass is tried meanwhile. */
export function testLostNodes(runs: () => Runs): void {
  test.sequential('NetworkPolicies, a drained node and one that is switched off change no bit', async () => {
    const { cluster, expectWeightsOfOneProcess, fourfold, podsOf, submit, untilReplaced, watch } = runs();
    const run = 'moving';
    const submitted = await submit(run, endless);
    expect(submitted.code, submitted.stderr).toBe(0);
    const status = watch(run);
    await status.progress(0);
    await expectPolicies(runs(), run);

    await cluster.specify('node-2', {});
    await cluster.specify('node-1', { unschedulable: true });
    const drained = await podsOf(run);
    const beforeDrain = await status.progress(0);
    for (const pod of drained) await cluster.evict(pod);
    await untilReplaced(run, drained, 4);
    const afterDrain = await status.progress(beforeDrain);

    const lost = await podsOf(run);
    expect(new Set(lost.map(({ spec }) => spec?.nodeName))).toEqual(new Set(['node-2']));
    const node = cluster.nodes[1];
    await node.switchOff();
    await cluster.specify('node-1', {});
    // As the guide says.
    await cluster.specify(node.name, { taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }] });
    await untilReplaced(run, lost, 4);
    await status.progress(afterDrain);
    await Promise.all([switchOn(runs()), fourfold('cancel', run).then(() => expectWeightsOfOneProcess(run))]);
  });
}

async function switchOn({ cluster }: Runs): Promise<void> {
  const node = cluster.nodes[1];
  node.switchOn();
  await cluster.specify(node.name, {});
  await cluster.untilReady(node);
}
