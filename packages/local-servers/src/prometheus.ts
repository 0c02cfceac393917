import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireProgram } from './find-program.js';
import { launchServer, type LocalServer } from './server.js';

export interface LocalPrometheus extends LocalServer {
  /** Base URL of its web interface and its API. */
  url: string;
}

/**
 * Start Prometheus on the loopback interface. `configuration` is its configuration file (YAML): what to scrape and how
 * often. Throws `not-found` where it is not installed, `unavailable` when it does not become ready.
 */
export async function startPrometheus(configuration: string): Promise<LocalPrometheus> {
  const server = await launchServer({
    program: requireProgram('prometheus'),
    portCount: 1,
    async prepare([port], folder) {
      const path = join(folder, 'prometheus.yml');
      await writeFile(path, configuration);
      const args = [
        `--config.file=${path}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ];
      return { args, env: {} };
    },
    readyUrl: ([port]) => `http://127.0.0.1:${port}/-/ready`,
  });
  return { ...server, url: `http://127.0.0.1:${server.ports[0]}` };
}
