import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Role } from '@fourfold/common';
import {
  freePorts,
  startClusterServers,
  startDelayingProxy,
  type ClusterRole,
  type ClusterServers,
  type DelayingProxy,
} from '@fourfold/local-servers';
import { photographs, startFourfold, type Process } from './process.js';
import { startS3Gate, type S3Gate } from './s3-gate.js';

/** A coordinator, the proxy through which its workers reach it, and the gate through which it reaches MinIO. */
export interface Office {
  process: Process;
  proxy: DelayingProxy;
  gate: S3Gate;
}

export interface StrangerOptions {
  /** Changes the environment that the cluster gives such a part. */
  environment?: (environment: Record<string, string>) => Record<string, string>;
  /** A command that runs its last arguments. */
  wrapper?: string[];
}

/**
 * A run on a whole cluster: real servers, certificates everywhere, a process for each part, and proxies between them
 * that can delay, stop and break connections.
 */
export interface Cluster {
  servers: ClusterServers;
  proxies: { nats: DelayingProxy; minio: DelayingProxy };
  /** All coordinators, including dead ones. */
  coordinators: Office[];
  /** All parts, including dead ones. */
  processes: Process[];
  workers: Set<Process>;
  loaders: Set<Process>;
  startCoordinator(...args: string[]): Promise<Office>;
  /** Start a gate in front of MinIO; it is closed with the cluster. */
  startGate(): Promise<S3Gate>;
  startWorker: (...args: string[]) => Process;
  startLoader: (...args: string[]) => Process;
  /** Start a part outside the cluster: with another environment, on another machine. */
  startStranger(role: Role, options: StrangerOptions, ...args: string[]): Process;
  /** A temporary folder that is removed with the cluster. */
  folder: string;
  /** Run `fourfold ARGS` beside the cluster, with the environment of a whole run. */
  run(...args: string[]): Process;
  /** URL of the run in MinIO. */
  runUrl: string;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  /** The run's config in YAML, without `dataset`, `store` and `batches`. */
  config: string;
  name: string;
  roundTripMs?: number;
}

const bucket = 's3://cluster';

/** Start the servers and put six photographs into MinIO; no part runs yet. */
export async function startCluster({ config, name, roundTripMs = 0 }: ClusterOptions): Promise<Cluster> {
  const servers = await startClusterServers();
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-cluster-run-'));
  const proxies = {
    nats: await startDelayingProxy(servers.nats.address, { roundTripMs }),
    minio: await startDelayingProxy(new URL(servers.minio.endpoint).host, { roundTripMs }),
  };
  const through = { nats: proxies.nats.address, minio: proxies.minio.address };
  const processes: Process[] = [];
  const noted = (process: Process): Process => {
    processes.push(process);
    return process;
  };
  const start = (role: ClusterRole, args: string[]) =>
    noted(startFourfold(args, [], servers.environment(role, through)));
  const gates = new Set<S3Gate>();
  const startGate = async (): Promise<S3Gate> => {
    const files = { certificate: join(servers.folder, 'minio.crt'), key: join(servers.folder, 'minio.key') };
    const gate = await startS3Gate({ upstream: proxies.minio.address, ...files });
    gates.add(gate);
    return gate;
  };
  const configPath = join(folder, 'run.yaml');
  const places = `dataset: ${bucket}/dataset\nstore: ${bucket}/store\nbatches: { from: nats, announceMs: 200, lateMs: 1000 }\n`;
  await writeFile(configPath, `name: ${name}\n${config}\n${places}`);
  const workers = new Set<Process>();
  const loaders = new Set<Process>();
  const coordinators: Office[] = [];
  const kept = <T extends Process>(all: Set<Process>, process: T): T => {
    all.add(process);
    void process.exit.then(() => all.delete(process));
    return process;
  };
  const images = join(photographs, 'train');
  const prepare = ['prepare', '--images', images, '--out', `${bucket}/dataset`, '--sample', '6', '--seed', '1'];
  const prepared = start('local', prepare);
  const { code } = await prepared.exit;
  if (code !== 0) throw new Error(prepared.errors.join('\n'));
  return {
    servers,
    proxies,
    coordinators,
    processes,
    workers,
    loaders,
    runUrl: `${bucket}/store/runs/${name}`,
    async startCoordinator(...args) {
      const [port] = await freePorts(1);
      const listen = `127.0.0.1:${port}`;
      const proxy = await startDelayingProxy(listen, { roundTripMs });
      const gate = await startGate();
      const where = ['--listen', listen, '--advertise', proxy.address];
      const environment = servers.environment('coordinator', { ...through, minio: gate.address });
      const process = noted(startFourfold(['coordinator', '--config', configPath, ...where, ...args], [], environment));
      void process.exit.then(() => proxy.close());
      const office = { process, proxy, gate };
      coordinators.push(office);
      return office;
    },
    startGate,
    startWorker: (...args) => kept(workers, start('worker', ['worker', '--config', configPath, ...args])),
    startLoader: (...args) => kept(loaders, start('data-loader', ['data-loader', '--config', configPath, ...args])),
    startStranger(role, { environment = (same) => same, wrapper }, ...args) {
      return noted(
        startFourfold(
          [role, '--config', configPath, ...args],
          wrapper,
          environment(servers.environment(role, through)),
        ),
      );
    },
    folder,
    run: (...args) => start('local', args),
    async stop() {
      for (const gate of gates) gate.close();
      await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
      await servers.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
