import type { BenchHosts, LinkBytes } from './update-hosts.js';

/** What iterations have used, each on average. */
export interface Use {
  /** Of this process. */
  cpuSeconds: number;
  /** With hosts: bytes on each link; the coordinator's, then the workers'. */
  linkBytes?: LinkBytes[];
}

/** Measure from now on; the result says what so many iterations have used. */
export async function measureUse(
  hosts: Pick<BenchHosts, 'linkBytes'> | undefined,
): Promise<(iterations: number) => Promise<Use>> {
  const [linksBefore, cpuBefore] = [await hosts?.linkBytes(), process.cpuUsage()];
  return async (iterations) => {
    const { user, system } = process.cpuUsage(cpuBefore);
    const links = await hosts?.linkBytes();
    return {
      cpuSeconds: (user + system) / 1e6 / iterations,
      linkBytes: links?.map(({ sent, received }, i) => ({
        sent: (sent - (linksBefore?.[i].sent ?? 0)) / iterations,
        received: (received - (linksBefore?.[i].received ?? 0)) / iterations,
      })),
    };
  };
}
