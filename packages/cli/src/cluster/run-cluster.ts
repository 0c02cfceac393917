import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  requireProgram,
  scrapeConfiguration,
  startClusterServers,
  startPrometheus,
  type ClusterServers,
  type LocalPrometheus,
} from '../servers/index.js';
import { untilAborted } from '@fourfold/common';
import type { ProgressLine } from '../train/progress-line.js';
import { superviseLocally } from '../train/supervisor.js';
import { clusterRun, writeClusterRun, type ClusterRun, type ClusterRunOptions } from './cluster-config.js';
import { claimClusterFolder } from './cluster-folder.js';
import { placeParts } from './cluster-parts.js';
import type { ClusterReport, Standing } from './cluster-report.js';
import { keepServers } from './keep-servers.js';
import { prepareImages } from './prepare-images.js';

export interface ClusterOptions extends ClusterRunOptions {
  dataLoaders: number;
  /** host:port of the status page; port 0 takes a free one. */
  http: string;
  /** Folder for data, keys, certificates and logs, which is kept; default: a temporary one. */
  keep?: string;
  /** End when the run is finished. */
  exit: boolean;
}

/** How long the coordinator may take for its last checkpoint. */
const stopMs = 10_000;
const scrapeSeconds = 2;

/**
 * Run a cluster: servers, photographs, and a run whose parts are replaced when they die, until `signal` aborts, or with `exit`
 * until the run is finished. It leaves nothing behind but the folder to keep. Rejects with the signal's reason if the run was
 * not finished.
 */
export async function runCluster(
  options: ClusterOptions,
  report: ClusterReport,
  line: ProgressLine,
  signal: AbortSignal,
): Promise<void> {
  for (const program of ['nats-server', 'minio', 'prometheus'] as const) requireProgram(program);
  const kept = options.keep && resolve(options.keep);
  if (kept) await claimClusterFolder(kept, options.images);
  const { page, helpers, jobs } = await placeParts(options);
  const servers = await startClusterServers(kept);
  const { folder } = servers;
  const logFile = createWriteStream(logIn(folder), { flags: 'a' });
  let prometheus: LocalPrometheus | undefined;
  const serving = new AbortController();
  /** Aborted when a server does not come back. */
  const failed = new AbortController();
  let keeping: Promise<void> | undefined;
  try {
    const stop = AbortSignal.any([signal, failed.signal]);
    stop.throwIfAborted();
    await writeFile(environmentIn(folder), exportsOf(servers.environment('local')));
    const run = await clusterRun(folder, options);
    if (run.images) {
      report.preparing(run.images);
      await prepareImages(run.images, servers.environment('local'), logFile, stop);
    }
    await writeClusterRun(run);
    prometheus = await startPrometheus(scrapeConfiguration(jobs, scrapeSeconds), kept && join(kept, 'prometheus'));

    const roster = createRoster(report);
    const named = { 'nats-server': servers.nats, minio: servers.minio, prometheus };
    for (const [name, server] of Object.entries(named)) roster.started(name, server.pid());
    keeping = keepServers(named, { note: line.note, onStarted: roster.started, signal: serving.signal }).catch(
      (error: unknown) => failed.abort(error),
    );
    const facts = factsOf(servers, prometheus, page, run);
    await superviseLocally({
      configArgs: ['--config', run.configPath],
      helpers,
      environment: servers.environment,
      resume: kept !== undefined,
      http: page,
      onStarted: ({ name }, pid) => roster.started(name, pid),
      onListening: () => roster.stands(facts),
      ...{ logFile, line, stopMs, signal: stop },
    });
    line.stop();
    report.finished(facts, !options.exit);
    if (!options.exit) await untilAborted(stop);
    failed.signal.throwIfAborted();
  } finally {
    serving.abort();
    await keeping;
    await Promise.all([prometheus?.stop(), servers.stop()]);
    logFile.end();
  }
}

const logIn = (folder: string) => join(folder, 'cluster.log');
const environmentIn = (folder: string) => join(folder, 'environment.sh');

/** Keeps the processes by name, and reports the cluster once it stands, and each replacement from then on. */
function createRoster(report: ClusterReport) {
  const pids = new Map<string, number>();
  let isStanding = false;
  return {
    started: (name: string, pid = 0): void => {
      pids.set(name, pid);
      if (isStanding) report.replaced({ name, pid });
    },
    stands: (facts: Standing): void => {
      if (!isStanding)
        report.standing(
          facts,
          [...pids].map(([name, pid]) => ({ name, pid })),
        );
      isStanding = true;
    },
  };
}

function factsOf(
  { folder, nats, minio }: ClusterServers,
  prometheus: LocalPrometheus,
  page: string,
  { config: { store, name }, configPath }: ClusterRun,
): Standing {
  return {
    statusPage: `http://${page}/`,
    prometheus: prometheus.url,
    minio: minio.endpoint,
    nats: `tls://${nats.address}`,
    keys: { access: join(folder, 's3-access-key'), secret: join(folder, 's3-secret-key') },
    run: `${store}/runs/${name}`,
    config: configPath,
    environment: environmentIn(folder),
    log: logIn(folder),
  };
}

/** Lines for a shell: addresses and paths, no secrets. */
const exportsOf = (environment: Record<string, string>): string =>
  Object.entries(environment)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'\n`)
    .join('');
