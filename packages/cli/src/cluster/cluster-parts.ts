import { FourfoldError, parseAddress } from '@fourfold/common';
import { freePorts, type ScrapeJob } from '../servers/index.js';
import type { Helper } from '../train/supervisor.js';

export interface PlacedParts {
  /** host:port of the status page. */
  page: string;
  helpers: Helper[];
  /** What Prometheus scrapes: one job per role. */
  jobs: ScrapeJob[];
}

/**
 * The parts of a cluster, each with its own port for metrics, which its replacements keep. Throws `invalid` if `http` is not a
 * host:port.
 */
export async function placeParts(options: {
  workers: number;
  dataLoaders: number;
  http: string;
}): Promise<PlacedParts> {
  const { workers, dataLoaders, http } = options;
  const [pagePort, ...ports] = await freePorts(1 + workers + dataLoaders);
  const address = parseAddress(http);
  if (!address) throw new FourfoldError('invalid', `${http} is not a host:port for the status page`);
  const page = address.port > 0 ? http : http.replace(/0+$/, String(pagePort));
  const place = (role: Helper['role'], ports: number[]) => {
    const addresses = ports.map((port) => `127.0.0.1:${port}`);
    const helpers = addresses.map((http, i): Helper => ({ role, name: `${role} ${i + 1}`, args: ['--http', http] }));
    return { job: { name: role, addresses }, helpers };
  };
  const placed = [place('worker', ports.slice(0, workers)), place('data-loader', ports.slice(workers))];
  return {
    page,
    helpers: placed.flatMap(({ helpers }) => helpers),
    jobs: [{ name: 'coordinator', addresses: [page] }, ...placed.map(({ job }) => job)],
  };
}
