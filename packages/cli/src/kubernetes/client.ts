import type * as Client from '@kubernetes/client-node';
import { kubernetesClientUrl } from '../assets.js';

/*
 * Kubernetes's client for Node.js, from the build's bundle (scripts/bundle-kubernetes.mjs), which holds only these. Types come from the
 * package itself.
 */
export const { ApiException, BatchV1Api, CoreV1Api, KubeConfig, KubernetesObjectApi, Log, PatchStrategy, PortForward } =
  (await import(kubernetesClientUrl)) as typeof Client;
