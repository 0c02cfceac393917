import { formatTable } from '../terminal/table.js';

/** A cluster that runs: where to look at it, and what of it can be killed. */
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
  /** A file for the shell after which `fourfold` reaches all of it. */
  environment: string;
  /** What all parts log. */
  log: string;
}

export interface ClusterProcess {
  name: string;
  pid: number;
}

/** What there is to say of a cluster, in the order in which it happens. */
export interface ClusterReport {
  preparing(images: string): void;
  standing(facts: Standing, processes: readonly ClusterProcess[]): void;
  /** A process died, and this one is in its place. */
  replaced(process: ClusterProcess): void;
  /** The run is finished; `stands`: its servers are there still. */
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

/** In words, by `note`, which takes one text after the other. */
export const reportAsText = (note: (text: string) => void): ClusterReport => ({
  preparing: (images) => note(`preparing the photographs of ${images} into MinIO`),
  standing: (facts, processes) => note(describeStanding(facts, processes)),
  replaced: ({ name, pid }) => note(`${name} is process ${pid} now`),
  finished: ({ environment, run }, stands) =>
    note(
      stands
        ? `
The run is finished. Its newest checkpoint, in another terminal while this stands:

  . ${environment}
  npx fourfold checkpoints pull ${newestOf(run)} out/pulled

Ctrl-C ends the rest.
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

Kill any of these (kill -9), or stop one and let it go on (kill -STOP, kill -CONT), and see what happens:

${formatTable(pids, left)}

In another terminal one more worker joins, and leaves at Ctrl-C:

  . ${environment}
  npx fourfold worker --config ${config}

Ctrl-C here ends all of it.
`;
}
