import { formatTable } from '../terminal/table.js';

/** A running cluster: where to look at it, and which of its processes can be killed. */
export interface Standing {
  /** URLs. */
  statusPage: string;
  prometheus: string;
  minio: string;
  nats: string;
  /** Files that hold MinIO's keys. */
  keys: { access: string; secret: string };
  /** URL of the run's objects. */
  run: string;
  /** The config that all parts read. */
  config: string;
  /** A file to source in a shell, so that `fourfold` reaches all parts. */
  environment: string;
  /** The log of all parts. */
  log: string;
}

export interface ClusterProcess {
  name: string;
  pid: number;
}

/** Reports what happens to a cluster, in order. */
export interface ClusterReport {
  preparing(images: string): void;
  standing(facts: Standing, processes: readonly ClusterProcess[]): void;
  /** A process died, and this one replaces it. */
  replaced(process: ClusterProcess): void;
  /** The run is finished; `stands`: its servers still run. */
  finished(facts: Standing, stands: boolean): void;
}

/** One JSON object a line on stdout, each with an `event`. */
export function reportAsJson(): ClusterReport {
  const write = (event: string, facts: object) => process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
  return {
    preparing: (images) => write('preparing', { images }),
    standing: (facts, processes) => write('standing', { ...facts, processes }),
    replaced: (process) => write('replaced', process),
    finished: ({ run }) => write('finished', { checkpoint: newestOf(run) }),
  };
}

/** As text, by `note`. */
export const reportAsText = (note: (text: string) => void): ClusterReport => ({
  preparing: (images) => note(`preparing the photographs in ${images} into MinIO`),
  standing: (facts, processes) => note(describeStanding(facts, processes)),
  replaced: ({ name, pid }) => note(`${name} is now process ${pid}`),
  finished: ({ environment, run }, stands) =>
    note(
      stands
        ? `
The run is finished. To get its newest checkpoint, in another terminal while this one runs:

  . ${environment}
  npx fourfold checkpoints pull ${newestOf(run)} out/pulled

Ctrl-C ends the cluster.
`
        : 'The run is finished.',
    ),
});

const newestOf = (run: string): string => `${run}/latest`;

function describeStanding(facts: Standing, processes: readonly ClusterProcess[]): string {
  const { statusPage, prometheus, minio, nats, keys, run, config, environment, log } = facts;
  const left = ['left', 'left'] as const;
  const places = [
    ['status page', statusPage],
    ['Prometheus', prometheus],
    ['MinIO', `${minio}, its keys in ${keys.access} and ${keys.secret}`],
    ['NATS', nats],
    ['the run', `${run}, its config in ${config}`],
    ['log', log],
  ];
  const pids = processes.map(({ name, pid }) => [`  ${name}`, String(pid)]);
  return `
${formatTable(places, left)}

Kill any of these (kill -9), or freeze and resume one (kill -STOP, kill -CONT), and see what happens:

${formatTable(pids, left)}

To add a worker, in another terminal (Ctrl-C there removes it):

  . ${environment}
  npx fourfold worker --config ${config}

Ctrl-C here ends the cluster.
`;
}
