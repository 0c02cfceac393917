import { randomInt } from 'node:crypto';
import { createServer, type ListenOptions } from 'node:net';

/**
 * Below the ports that systems use for outgoing connections (from 32768 on Linux, from 49152 elsewhere): any connection could take one
 * of those between two starts of a server.
 */
const firstPort = 10_000;
const endPort = 32_768;
const maxAttempts = 1_000;

/**
 * `count` different ports of the loopback interface that are free at the moment. On Linux no call returns a port again, in any process, while
 * the process that got it lives: a port may be used long after it was chosen, and again after its server was killed.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt === maxAttempts) throw new Error(`found ${ports.size} of ${count} free ports in ${attempt} attempts`);
    const port = randomInt(firstPort, endPort);
    if ((await isFree(port)) && (await claim(port))) ports.add(port);
  }
  return [...ports];
}

/** Keep others from choosing a port, by a socket with a name that the kernel forgets when this process ends. */
const claim = async (port: number): Promise<boolean> =>
  process.platform !== 'linux' || (await listen({ path: `\0fourfold-port-${port}` })) !== undefined;

async function isFree(port: number): Promise<boolean> {
  const server = await listen({ port, host: '127.0.0.1' });
  if (server) await new Promise((resolve) => server.close(resolve));
  return server !== undefined;
}

/** A listening server that does not keep this process alive; undefined if the address is taken. */
const listen = (options: ListenOptions) =>
  new Promise<ReturnType<typeof createServer> | undefined>((resolve) => {
    const server = createServer().unref();
    server.once('error', () => resolve(undefined));
    server.listen(options, () => resolve(server));
  });
