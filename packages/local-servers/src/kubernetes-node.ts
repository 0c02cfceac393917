import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheBin } from 'fourfold/servers';
import { writeNodeFiles, type NodeDescription } from './node-files.js';
import { maxNodes, type NodeNetwork } from './node-network.js';
import { nodeSystem } from './node-needs.js';

/** A Kubernetes node in namespaces of its own: containerd, a kubelet, kube-proxy and kube-network-policies. */
export interface KubernetesNode {
  name: string;
  /** What it wrote is below this folder; pods’ volumes of the type `local` are below /var/local, which is its `volumes`. */
  folder: string;
  /** Switch it off: all of its processes, mounts, addresses and control groups go. */
  switchOff(): Promise<void>;
  /** Switch it on again with its disk. It takes a while until it is ready. */
  switchOn(): void;
  /** The ends of its programs' logs. */
  logEnds(): Promise<string>;
}

export interface NodeOptions extends Omit<NodeDescription, 'controlGroup'> {
  /** 1 to 7. */
  index: number;
  network: NodeNetwork;
  /** Where its disk is kept. */
  folder: string;
  /** An OCI image layout, whose images it imports when it starts. */
  images: string;
}

const script = fileURLToPath(new URL('../kubernetes-node/run-node.sh', import.meta.url));
const programs = ['images', 'containerd', 'kube-network-policies', 'kube-proxy', 'kubelet'];
const logEndLines = 5;

/** Start a node; the API server knows when it is ready. It is switched off when this process ends, however that happens. */
export async function startNode(options: NodeOptions): Promise<KubernetesNode> {
  const { name, folder } = options;
  const controlGroup = `fourfold-${options.network.address(options.index)}`;
  await mkdir(folder, { recursive: true });
  await writeNodeFiles(join(folder, 'config'), { ...options, controlGroup });
  const log = await open(join(folder, 'node.log'), 'a');
  let child: ChildProcess | undefined;
  const switchOn = () => {
    child = spawn('unshare', ['--net', '--mount', '--uts', 'sh', script], {
      stdio: ['pipe', log.fd, log.fd],
      env: { ...process.env, ...environment(options, controlGroup) },
      // Ctrl-C in the terminal must not reach it.
      detached: true,
    });
  };
  switchOn();
  return {
    name,
    folder,
    switchOn,
    async switchOff() {
      if (!child || child.exitCode !== null) return;
      const exit = once(child, 'exit');
      child.stdin?.end();
      await exit;
    },
    async logEnds() {
      const paths = [join(folder, 'node.log'), ...programs.map((one) => join(folder, 'upper/var/log', `${one}.log`))];
      const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
      return texts
        .map((text, i) => `${paths[i]}:\n${text.trim().split('\n').slice(-logEndLines).join('\n')}`)
        .join('\n');
    },
  };
}

function environment({ name, folder, images, network, index }: NodeOptions, controlGroup: string) {
  const others = Array.from({ length: maxNodes }, (_, i) => i + 1).filter((other) => other !== index);
  return {
    NAME: name,
    FOLDER: folder,
    LOWER: nodeSystem().join(':'),
    PROGRAMS: cacheBin(),
    IMAGES: images,
    CGROUP: controlGroup,
    BRIDGE_PID: `${network.bridgePid}`,
    ADDRESS: network.address(index),
    GATEWAY: network.gateway,
    ROUTES: others.map((other) => `${network.pods(other)}=${network.address(other)}`).join(' '),
  };
}
