import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FourfoldError } from '@fourfold/common';

/*
 * Hosts of `bench update --hosts`: a network namespace for each worker, this process's own for the coordinator, and one between them as
 * the switch. Each host has one link of a fixed rate in both directions.
 */

const switchName = 'fourfold-switch';
const burst = ['burst', '256kb', 'latency', '50ms'];
const run = promisify(execFile);
const ip = (...args: string[]) => run('ip', args);

export interface BenchHosts {
  /** The coordinator's, then the workers' addresses, without ports. */
  readonly addresses: readonly string[];
  /** The network interface of a worker's host. */
  interface(worker: number): string;
  /** The program and arguments that start a program on a worker's host; this Node.js unless given. */
  command(worker: number, program?: string): readonly string[];
  /** Bytes that each host's link has carried so far: the coordinator's, then the workers'. */
  linkBytes(): Promise<LinkBytes[]>;
  close(): Promise<void>;
}

/** What a host has sent and received over its link, with the headers of Ethernet, IP and TCP. */
export interface LinkBytes {
  sent: number;
  received: number;
}

/** What ip says of a link. */
interface LinkStatistics {
  ifname: string;
  stats64: Record<'rx' | 'tx', { bytes: number }>;
}

/** Make the hosts. Throws `invalid` for anybody but root, `unavailable` if the system does not make them. */
export async function createBenchHosts(workers: number, rate: string): Promise<BenchHosts> {
  if (process.getuid?.() !== 0) {
    throw new FourfoldError('invalid', 'bench update --hosts makes network namespaces, which only root may', {
      hint: 'start it with sudo, with iproute2 installed',
    });
  }
  const hosts = Array.from({ length: workers + 1 }, (_, i) => ({
    address: `10.213.77.${i + 1}`,
    link: `fourfold${i}`,
    port: `fourfold${i}s`,
    // The first is the coordinator's, which stays where this process is.
    namespace: i === 0 ? undefined : `fourfold-host${i}`,
  }));
  const namespaces = [switchName, ...hosts.flatMap(({ namespace }) => namespace ?? [])];
  const close = async () => {
    for (const namespace of namespaces) await ip('netns', 'del', namespace).catch(() => undefined);
    await ip('link', 'del', hosts[0].link).catch(() => undefined);
  };
  try {
    for (const namespace of namespaces) await ip('netns', 'add', namespace);
    await ip('-n', switchName, 'link', 'add', 'br0', 'type', 'bridge');
    await ip('-n', switchName, 'link', 'set', 'br0', 'up');
    for (const host of hosts) await connectHost(host, rate);
  } catch (cause) {
    await close();
    throw new FourfoldError('unavailable', 'the bench’s network namespaces could not be made', { cause });
  }
  return {
    addresses: hosts.map(({ address }) => address),
    interface: (worker) => hosts[worker + 1].link,
    command: (worker, program = process.execPath) => [
      ...['ip', 'netns', 'exec', hosts[worker + 1].namespace ?? ''],
      program,
    ],
    async linkBytes() {
      const { stdout } = await ip('-n', switchName, '-j', '-s', 'link', 'show', 'type', 'veth');
      const links = new Map((JSON.parse(stdout) as LinkStatistics[]).map(({ ifname, stats64 }) => [ifname, stats64]));
      // What a host sends, the switch receives.
      return hosts.map(({ port }) => ({
        sent: links.get(port)?.rx.bytes ?? NaN,
        received: links.get(port)?.tx.bytes ?? NaN,
      }));
    },
    close,
  };
}

interface Host {
  address: string;
  link: string;
  port: string;
  namespace?: string;
}

async function connectHost({ address, link, port, namespace }: Host, rate: string): Promise<void> {
  const here = namespace ? ['-n', namespace] : [];
  await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', port);
  await ip('link', 'set', port, 'netns', switchName);
  await ip('-n', switchName, 'link', 'set', port, 'master', 'br0', 'up');
  await run('tc', ['-n', switchName, 'qdisc', 'add', 'dev', port, 'root', 'tbf', 'rate', rate, ...burst]);
  if (namespace) {
    await ip('link', 'set', link, 'netns', namespace);
    await ip(...here, 'link', 'set', 'lo', 'up');
  }
  await ip(...here, 'addr', 'add', `${address}/24`, 'dev', link);
  await ip(...here, 'link', 'set', link, 'up');
  await run('tc', [...here, 'qdisc', 'add', 'dev', link, 'root', 'tbf', 'rate', rate, ...burst]);
}
