import type { Command } from 'commander';
import { asSentence } from './arguments.js';
import type { ClusterApi } from '../kubernetes/cluster-api.js';
import { mayKnowCluster, noCluster } from '../kubernetes/known-cluster.js';
import { namespaceName } from '../kubernetes/names.js';

export interface Place {
  namespace?: string;
  context?: string;
}

/** A command about a cluster's namespace. */
export const inCluster = (program: Command, name: string, summary: string): Command =>
  program
    .command(name)
    .summary(summary)
    .description(asSentence(summary))
    .option('-n, --namespace <name>', 'namespace (default: the kubeconfig context’s)', namespaceName)
    .option('--context <name>', 'context of the kubeconfig (default: its current one)');

/** The cluster and the namespace that the options name. */
export async function connect(place: Place): Promise<ClusterApi> {
  if (!mayKnowCluster(process.env)) throw noCluster();
  const { connectToCluster } = await import('../kubernetes/cluster-api.js');
  return connectToCluster(place);
}
