import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NodeAccess } from './kubernetes.js';

/** What distinguishes a node from the others. */
export interface NodeDescription {
  name: string;
  /** The cluster's DNS server. */
  dns: string;
  /** The addresses of its pods, as a CIDR. */
  pods: string;
  /** Its control group, below each controller. */
  controlGroup: string;
  access: NodeAccess;
}

/** The image that holds a pod's namespaces; the images of a cluster must include it. */
export const pauseImage = 'docker.io/library/busybox:1';

const startScript = fileURLToPath(new URL('../kubernetes-node/start-node.sh', import.meta.url));

/** Write the configuration of a node's programs into a folder. */
export async function writeNodeFiles(folder: string, node: NodeDescription): Promise<void> {
  await mkdir(join(folder, 'cni'), { recursive: true });
  const files = {
    'kubelet.json': JSON.stringify(kubeletConfig(node)),
    'kubelet-access.json': node.access.kubelet,
    'kube-proxy.json': node.access.proxy,
    'policies-access.json': node.access.policies,
    'containerd.toml': containerdConfig,
    'cni/10-pods.conflist': JSON.stringify(podNetwork(node)),
  };
  await Promise.all([
    cp(startScript, join(folder, 'start-node.sh')),
    ...Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })),
  ]);
}

const kubeletConfig = ({ dns, controlGroup }: NodeDescription) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
  // Only the cluster's own network reaches it.
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: 'AlwaysAllow' },
  clusterDNS: [dns],
  clusterDomain: 'cluster.local',
  resolvConf: '',
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${controlGroup}`,
  failCgroupV1: false,
  failSwapOn: false,
  // What a container of its own does not allow: changing the machine's settings, and limits on the node itself.
  featureGates: { KubeletInUserNamespace: true },
  enforceNodeAllocatable: [],
  // The disk is the machine's, and others fill it too.
  localStorageCapacityIsolation: false,
  evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%' },
  imageGCHighThresholdPercent: 100,
  // On a busy machine a container may take minutes to start.
  runtimeRequestTimeout: '10m',
  // A node that is switched off is noticed soon.
  nodeLeaseDurationSeconds: 8,
});

const containerdConfig = `
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Where lowering it is not allowed.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/kubernetes/cni"
`;

/** Each pod has a cable to its node, which routes. */
const podNetwork = ({ pods }: NodeDescription) => ({
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'ptp',
      ipam: { type: 'host-local', ranges: [[{ subnet: pods }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
});
