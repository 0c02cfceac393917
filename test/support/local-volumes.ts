import type { KubernetesObject } from '@kubernetes/client-node';
import type { KubernetesNode } from '@fourfold/local-servers';

/*
 * Volumes as an administrator offers them where nothing makes them on demand: on a node's own disk, in the folder `volumes/NAME`.
 */

/** A volume with the name of its folder. */
export const localVolume = (name: string, node: KubernetesNode, storage: string, mode: string): KubernetesObject =>
  ({
    ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name } },
    spec: {
      capacity: { storage },
      accessModes: [mode],
      local: { path: `/var/local/${name}` },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node.name] }] },
          ],
        },
      },
    },
  }) as KubernetesObject;

/** A claim of 1 GiB that many pods read. */
export const readOnlyClaim = (name: string, namespace: string): KubernetesObject =>
  ({
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace } },
    spec: { accessModes: ['ReadOnlyMany'], resources: { requests: { storage: '1Gi' } } },
  }) as KubernetesObject;
