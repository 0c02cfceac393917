import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { requireProgram } from './find-program.js';
import { launchServer, type LocalServer } from './server.js';

export interface LocalPrometheus extends LocalServer {
  /** Base URL of its web interface and its API. */
  url: string;
}

/** Processes of one kind whose metrics Prometheus scrapes. */
export interface ScrapeJob {
  name: string;
  /** host:port of each; it serves /metrics. */
  addresses: readonly string[];
}

/** A Prometheus configuration that scrapes these jobs, and evaluates the rules in these files, every `everySeconds`. */
export const scrapeConfiguration = (
  jobs: readonly ScrapeJob[],
  everySeconds: number,
  ruleFiles: readonly string[] = [],
): string => `global:
  scrape_interval: ${everySeconds}s
  scrape_timeout: ${everySeconds}s
  evaluation_interval: ${everySeconds}s
rule_files: ${JSON.stringify(ruleFiles)}
scrape_configs:
${jobs
  .map(
    ({ name, addresses }) => `  - job_name: ${name}
    static_configs:
      - targets: ${JSON.stringify(addresses)}
`,
  )
  .join('')}`;

/**
 * Start Prometheus on the loopback interface. `configuration` is its configuration file (YAML): what to scrape and how often; `folder` is
 * kept. Throws `not-found` if it is not installed, `unavailable` if it does not become ready.
 */
export async function startPrometheus(configuration: string, folder?: string): Promise<LocalPrometheus> {
  const server = await launchServer({
    program: requireProgram('prometheus'),
    folder,
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
