import { readFile } from 'node:fs/promises';
import { pauseImage } from '@fourfold/local-servers';
import { expect, vi } from 'vitest';
import { patience, type RealCluster } from './real-nodes.js';

/** By name: a host and a port. */
export type Targets<Name extends string> = Record<Name, [string, number]>;

/** A pod that tries what it can reach. */
export interface Probe<Name extends string> {
  namespace: string;
  labels?: Record<string, string>;
  node: string;
  /** The names of the targets that it is to reach. */
  reaches: readonly Name[];
}

const script = new URL('probe.mjs', import.meta.url);
/** A probe that reaches something else all the time is ended then. */
const activeDeadlineSeconds = patience.timeout / 2000;

/** Expect that a probe reaches what it is to reach, and none of the other targets. */
export async function expectReached<Name extends string>(
  { core }: RealCluster,
  targets: Targets<Name>,
  { namespace, labels, node, reaches }: Probe<Name>,
): Promise<void> {
  const program = ['node', '--input-type=module', '-e', await readFile(script, 'utf8')];
  const container = {
    ...{ name: 'probe', image: pauseImage },
    command: [...program, JSON.stringify(targets), JSON.stringify(reaches)],
    // Without a request it would hardly run beside pods that have one.
    resources: { requests: { cpu: '1' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
  const spec = {
    ...{ restartPolicy: 'Never', nodeName: node, activeDeadlineSeconds, automountServiceAccountToken: false },
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [container],
  };
  const body = { metadata: { generateName: 'probe-', labels }, spec };
  // A new namespace has no service account for a moment.
  const { metadata } = await vi.waitFor(() => core.createNamespacedPod({ namespace, body }), patience);
  const name = metadata?.name as string;
  const message = await vi.waitFor(async () => {
    const { status } = await core.readNamespacedPod({ namespace, name });
    const ended = status?.containerStatuses?.[0].state?.terminated;
    expect(ended, JSON.stringify(status)).toBeDefined();
    return ended?.message || JSON.stringify(ended);
  }, patience);
  const from = JSON.stringify({ namespace, labels, node });
  expect(JSON.parse(message) as unknown, from).toEqual([...reaches].sort());
  await core.deleteNamespacedPod({ namespace, name });
}
