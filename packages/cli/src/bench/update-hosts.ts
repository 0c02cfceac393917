import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
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
  /** The program and arguments that start a command on a worker's host. */
  command(worker: number): readonly string[];
  /** Bytes that the coordinator's link has carried so far. */
  linkBytes(): Promise<{ sent: number; received: number }>;
  close(): Promise<void>;
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
  const count = async (direction: 'tx' | 'rx') =>
    Number(await readFile(`/sys/class/net/${hosts[0].link}/statistics/${direction}_bytes`, 'utf8'));
  return {
    addresses: hosts.map(({ address }) => address),
    command: (worker) => ['ip', 'netns', 'exec', hosts[worker + 1].namespace ?? '', process.execPath],
    linkBytes: async () => ({ sent: await count('tx'), received: await count('rx') }),
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
