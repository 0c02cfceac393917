import { setTimeout as delay } from 'node:timers/promises';
import type { LocalServer } from '@fourfold/local-servers';
import type { Process } from '../process.js';
import { expectSuperseded, firstUpdate, succeed, type Chaos, type Injection } from './chaos.js';
import type { Fault, FaultKind } from './faults.js';
import { machineFaults } from './machine-faults.js';
import { storeFaults } from './store-faults.js';

const slowRoundTripMs = 150;

/** Inject a fault and revert it after its time; resolves when it is over. */
export const inject = (chaos: Chaos, fault: Fault): Promise<void> => injections[fault.kind](chaos, fault);

const injections: Record<FaultKind, Injection> = {
  'kill a worker': (chaos, fault) => killPart(chaos, fault, chaos.cluster.workers, chaos.cluster.startWorker),
  'freeze a worker': (chaos, fault) => freezePart(fault, chaos.cluster.workers),
  async 'join a worker'(chaos, { forMs }) {
    const worker = chaos.cluster.startWorker();
    await delay(forMs);
    // It leaves as Kubernetes would make it leave.
    chaos.struck.add(worker);
    worker.child.kill('SIGTERM');
  },
  'kill a data-loader': (chaos, fault) => killPart(chaos, fault, chaos.cluster.loaders, chaos.cluster.startLoader),
  'freeze a data-loader': (chaos, fault) => freezePart(fault, chaos.cluster.loaders),
  async 'kill the coordinator'(chaos, { forMs }) {
    const { process } = chaos.office();
    chaos.struck.add(process);
    process.child.kill('SIGKILL');
    await process.exit;
    await delay(forMs / 2);
    await succeed(chaos);
  },
  async 'freeze the coordinator'(chaos) {
    const { process } = chaos.office();
    chaos.struck.add(process);
    process.child.kill('SIGSTOP');
    const successor = await succeed(chaos);
    await firstUpdate(successor);
    process.child.kill('SIGCONT');
    await expectSuperseded(process);
  },
  'kill nats-server': ({ cluster }, fault) => killServer(cluster.servers.nats, fault),
  'freeze nats-server': ({ cluster }, fault) => freezeServer(cluster.servers.nats, fault),
  'kill MinIO': ({ cluster }, fault) => killServer(cluster.servers.minio, fault),
  'freeze MinIO': ({ cluster }, fault) => freezeServer(cluster.servers.minio, fault),
  async 'slow and broken network'({ cluster, office }, { forMs, pick }) {
    const proxies = [office().proxy, cluster.proxies.nats, cluster.proxies.minio];
    const struck = proxies[Math.floor(pick * proxies.length)];
    struck.setDelay(slowRoundTripMs);
    await delay(forMs / 3);
    struck.dropAll();
    await delay(forMs / 3);
    struck.pause();
    await delay(forMs / 3);
    struck.resume();
    struck.setDelay(0);
  },
  ...machineFaults,
  ...storeFaults,
};

const chosen = (parts: ReadonlySet<Process>, pick: number): Process => {
  const all = [...parts];
  return all[Math.floor(pick * all.length)];
};

async function killPart(
  { struck }: Chaos,
  { pick, forMs }: Fault,
  parts: ReadonlySet<Process>,
  start: () => Process,
): Promise<void> {
  const part = chosen(parts, pick);
  struck.add(part);
  part.child.kill('SIGKILL');
  await part.exit;
  await delay(forMs / 2);
  start();
}

async function freezePart({ pick, forMs }: Fault, parts: ReadonlySet<Process>): Promise<void> {
  const part = chosen(parts, pick);
  part.child.kill('SIGSTOP');
  await delay(forMs);
  part.child.kill('SIGCONT');
}

async function killServer(server: LocalServer, { forMs }: Fault): Promise<void> {
  await server.kill();
  await delay(forMs / 2);
  await server.start();
}

async function freezeServer(server: LocalServer, { forMs }: Fault): Promise<void> {
  await server.freeze();
  await delay(forMs);
  server.thaw();
}
