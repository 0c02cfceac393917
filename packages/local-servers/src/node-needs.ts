import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '@fourfold/common';
import { cacheBin, isExecutable } from 'fourfold/servers';
import { nodePrograms } from './find-program.js';

/** The files of images’ lowest layer: a few Debian packages and Node.js. */
export const imageBase = (): string => join(cacheFolder(), 'kubernetes-base');

/** The layers of a node’s system, the upper first: containerd and what it needs from Debian’s packages, and the base of the images. */
export const nodeSystem = (): string[] => [join(cacheFolder(), 'kubernetes-node'), imageBase()];

/** What a node does first, where nothing of it remains: mounts, a bridge, rules of the firewall, a control group. */
const trial = `
mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$LOWER,upperdir=/mnt/upper,workdir=/mnt/work" trial /mnt/root
ip link add bridge type bridge
chroot /mnt/root iptables -t nat -A PREROUTING -p tcp -m conntrack --ctstate NEW -j DNAT --to-destination 192.0.2.1
chroot /mnt/root iptables -t mangle -A FORWARD -m conntrack --ctstate NEW -j NFQUEUE --queue-num 100
group=/sys/fs/cgroup/memory/fourfold-trial-$$
mkdir "$group" && rmdir "$group"
`;

/** Why this machine cannot run Kubernetes nodes, on one line; undefined if it can. */
export function missingForNodes(): string | undefined {
  if (process.platform !== 'linux') return 'nodes need Linux';
  if (process.getuid?.() !== 0) return 'nodes need root';
  if (!existsSync('/sys/fs/cgroup/memory/cgroup.procs'))
    return 'nodes have been tried with control groups of version 1 only, and this machine has none';
  const programs = nodePrograms.map((name) => join(cacheBin(), name)).filter((path) => !isExecutable(path));
  const missing = [...programs, ...nodeSystem().filter((path) => !existsSync(path))];
  if (missing.length > 0) return `${missing.join(', ')}: missing; npm run setup:servers -- kubernetes installs them`;
  try {
    const args = ['--net', '--mount', '--uts', '--pid', '--fork', 'sh', '-ec', trial];
    execFileSync('unshare', args, { env: { ...process.env, LOWER: nodeSystem().join(':') }, stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    return `this machine does not allow what a node does: ${stderr?.toString().trim() || message}`;
  }
}
