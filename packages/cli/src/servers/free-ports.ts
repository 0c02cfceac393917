import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the ports that systems use for outgoing connections (from 32768 on Linux, from 49152 elsewhere): any connection could take one
 * of those between two starts of a server.
 */
const firstPort = 10_000;
const endPort = 32_768;
const maxAttempts = 1_000;

/** `count` different ports of the loopback interface that are free at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt === maxAttempts) throw new Error(`found ${ports.size} of ${count} free ports in ${attempt} attempts`);
    const port = randomInt(firstPort, endPort);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
