import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FourfoldError, type Environment } from '@fourfold/common';

/** Where a pod's service account is. */
const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Whether a kubeconfig or a pod's service account exists where the client looks. The client takes longer to load than a refusal may take,
 * so this comes first; the client then says what is wrong with what exists.
 */
export function mayKnowCluster(environment: Environment, platform: NodeJS.Platform = process.platform): boolean {
  const { KUBECONFIG: named, HOME: home } = environment;
  // On Windows the client also looks into the Linux beside it.
  if (named || platform === 'win32') return true;
  return existsSync(serviceAccountToken) || (home !== undefined && existsSync(join(home, '.kube/config')));
}

/** The error where no cluster is known. */
export const noCluster = (): FourfoldError =>
  new FourfoldError('invalid', 'no cluster is known: there is no kubeconfig, and this is not a pod', {
    hint: 'set KUBECONFIG, or create ~/.kube/config',
  });
