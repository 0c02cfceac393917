import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireProgram } from './find-program.js';
import { launchServer, type LocalServer } from './server.js';

export interface LocalNats extends LocalServer {
  /** host:port for clients. */
  address: string;
  /** Base URL of its monitoring: /varz, /healthz, ... */
  monitorUrl: string;
}

/**
 * Start nats-server on the loopback interface. `configuration` is text in its own format, added to the ports; `folder` is kept. Throws
 * `not-found` if it is not installed, `unavailable` if it does not become ready.
 */
export async function startNats(configuration = '', folder?: string): Promise<LocalNats> {
  const server = await launchServer({
    program: requireProgram('nats-server'),
    folder,
    portCount: 2,
    async prepare([port, monitorPort], folder) {
      const path = join(folder, 'nats.conf');
      await writeFile(path, `listen: "127.0.0.1:${port}"\nhttp: "127.0.0.1:${monitorPort}"\n${configuration}\n`);
      return { args: ['--config', path], env: {} };
    },
    readyUrl: ([, monitorPort]) => `http://127.0.0.1:${monitorPort}/healthz`,
  });
  const [port, monitorPort] = server.ports;
  return { ...server, address: `127.0.0.1:${port}`, monitorUrl: `http://127.0.0.1:${monitorPort}` };
}
