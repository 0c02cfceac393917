import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig, PortForward, type V1NodeSpec, type V1Pod } from '@kubernetes/client-node';
import { createGuard, startNode, startNodeNetwork, type KubernetesNode } from '@fourfold/local-servers';
import { writeClusterImages, type ServerImages } from './cluster-images.js';
import { startTestKubernetes, type TestKubernetes } from './kubernetes.js';

/** A cluster whose nodes run containers, each in namespaces of its own on this machine. */
export interface RealCluster extends TestKubernetes {
  nodes: KubernetesNode[];
  /** For files of its tests; it goes with the cluster. */
  folder: string;
  /** The address of its DNS server. */
  dns: string;
  /** Resolves when a node is ready; rejects with the ends of its logs if that takes too long. */
  untilReady(node: KubernetesNode): Promise<void>;
  /** Set what a test specifies of a node; what it specified before goes. */
  specify(name: string, spec: V1NodeSpec): Promise<void>;
  /** Lead a port of this machine to a pod's, as `kubectl port-forward` does; returns the port. */
  forward(pod: V1Pod, port: number): Promise<number>;
}

/** For what a cluster does on a busy machine. */
export const patience = { timeout: 300_000, interval: 500 };

/**
 * Start a cluster of this many nodes, which have the images of this checkout and of the servers. It takes objects at once; its nodes are still starting: `untilReady`
 * waits for one.
 */
export async function startRealCluster(count: number, servers: ServerImages): Promise<RealCluster> {
  const closing: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), 'fourfold-nodes-'));
    const guard = createGuard(folder);
    closing.push(() => guard.close());
    const network = await startNodeNetwork();
    closing.push(() => network.close());
    const names = Array.from({ length: count }, (_, i) => `node-${i + 1}`);
    const images = join(folder, 'images');
    const [kubernetes] = await Promise.all([
      startTestKubernetes({ address: network.gateway, nodes: names }),
      writeClusterImages(images, servers),
    ]);
    closing.push(() => kubernetes.stop());
    const start = async (name: string, i: number) => {
      const access = await kubernetes.nodeAccess(name);
      const place = { network, index: i + 1, pods: network.pods(i + 1), dns: network.gateway };
      const node = await startNode({ name, access, images, folder: join(folder, name), ...place });
      closing.push(() => node.switchOff());
      return node;
    };
    const nodes = await Promise.all(names.map(start));
    const forwards = createForwards(kubernetes.kubeconfig);
    closing.push(() => Promise.resolve(forwards.close()));
    const untilReady = (node: KubernetesNode) => becomesReady(kubernetes, node);
    const specify = async (name: string, spec: V1NodeSpec) => {
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec };
      await kubernetes.apply(node);
    };
    return { ...kubernetes, nodes, folder, dns: network.gateway, untilReady, specify, forward: forwards.open, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function becomesReady({ core }: TestKubernetes, node: KubernetesNode): Promise<void> {
  const deadlineMs = performance.now() + patience.timeout;
  for (;;) {
    const known = await core.readNode({ name: node.name }).catch(() => undefined);
    if (known?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')) return;
    if (performance.now() > deadlineMs)
      throw new Error(`${node.name} was not ready after ${patience.timeout} ms\n${await node.logEnds()}`);
    await new Promise((resolve) => setTimeout(resolve, patience.interval));
  }
}

function createForwards(kubeconfig: string) {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kubeconfig);
  const portForward = new PortForward(kubeConfig);
  const servers: Server[] = [];
  return {
    open: async ({ metadata }: V1Pod, port: number): Promise<number> => {
      const { name, namespace } = metadata as { name: string; namespace: string };
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        portForward.portForward(namespace, name, [port], socket, null, socket).catch(() => socket.destroy());
      });
      servers.push(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    close(): void {
      for (const server of servers) server.close();
    },
  };
}
