import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { promisify } from 'node:util';
import { FourfoldError } from '@fourfold/common';

/** A network of its own for the nodes of a cluster, with a bridge to which this machine and each node have a cable. */
export interface NodeNetwork {
  /** This machine's address in it. */
  gateway: string;
  /** The address of the node with this index, 1 to 7. */
  address(index: number): string;
  /** The addresses of a node's pods, as a CIDR. */
  pods(index: number): string;
  /** A process in the network namespace that holds the bridge. */
  bridgePid: number;
  /** Remove it; it also goes when this process ends, however that happens. */
  close(): Promise<void>;
}

/** How many nodes a network has addresses for. */
export const maxNodes = 7;
const run = promisify(execFile);

/** Create a network. Throws `unavailable` if this machine does not allow it. */
export async function startNodeNetwork(): Promise<NodeNetwork> {
  const number = freeNumber();
  const script = 'ip link add bridge type bridge && ip link set bridge up && echo up && exec cat';
  // It ends when its standard input does. Ctrl-C in the terminal must not reach it.
  const bridge = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const exit = once(bridge, 'exit');
  const close = async () => {
    bridge.stdin.end();
    await exit;
  };
  const reasons: Buffer[] = [];
  bridge.stderr.on('data', (reason: Buffer) => reasons.push(reason));
  const up = await Promise.race([once(bridge.stdout, 'data'), exit.then(() => undefined)]);
  const bridgePid = bridge.pid;
  if (!up || bridgePid === undefined)
    throw new FourfoldError('unavailable', `no network namespace: ${Buffer.concat(reasons).toString().trim()}`);
  const gateway = `198.18.${number}.1`;
  const address = (index: number) => `198.18.${number}.${10 + index}`;
  const pods = (index: number) => `198.19.${number}.${32 * index}/27`;
  try {
    const cable = `fourfold${number}`;
    await run('ip', ['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'host', 'netns', `${bridgePid}`]);
    const inBridge = ['--target', `${bridgePid}`, '--net'];
    await run('nsenter', [...inBridge, 'ip', 'link', 'set', 'host', 'master', 'bridge', 'up']);
    await run('ip', ['address', 'add', `${gateway}/24`, 'dev', cable]);
    await run('ip', ['link', 'set', cable, 'up']);
    for (let index = 1; index <= maxNodes; index++)
      await run('ip', ['route', 'add', pods(index), 'via', address(index)]);
  } catch (error) {
    await close();
    throw error;
  }
  return { gateway, address, pods, bridgePid, close };
}

/** 198.18.0.0/15 is reserved for tests of networks (RFC 2544), so no real one has these addresses; another cluster here may. */
function freeNumber(): number {
  const taken = new Set(Object.keys(networkInterfaces()));
  const free = Array.from({ length: 256 }, (_, number) => number).filter((number) => !taken.has(`fourfold${number}`));
  if (free.length === 0) throw new FourfoldError('unavailable', 'this machine has 256 networks of clusters already');
  return free[Math.floor(Math.random() * free.length)];
}
