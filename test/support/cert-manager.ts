import type { RealCluster } from './real-nodes.js';

/** Start cert-manager on a cluster, as its administrator would; it stops with the cluster. */
export async function startCertManager(cluster: RealCluster): Promise<void> {
  await cluster.defineResources(/certificate|issuer/);
  await cluster.startCertManager();
}
