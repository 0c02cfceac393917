import { setTimeout as delay } from 'node:timers/promises';
import type { LocalServer } from '@fourfold/local-servers';
import type { Cluster, Office } from '../cluster.js';
import type { Process } from '../process.js';
import type { Fault, FaultKind } from './faults.js';

/** What an injection needs besides the cluster. */
export interface Chaos {
  cluster: Cluster;
  /** The coordinator in office. */
  office: () => Office;
  /** Put another in its place. */
  takeOffice: (office: Office) => void;
  /** Processes whose end is not a failure: a fault struck them. */
  struck: Set<Process>;
}

const slowRoundTripMs = 150;
const takeoverMs = 90_000;

/** Inject a fault and, after its time, take it back; resolves when it is over. */
export const inject = (chaos: Chaos, fault: Fault): Promise<void> => injections[fault.kind](chaos, fault);

const injections: Record<FaultKind, (chaos: Chaos, fault: Fault) => Promise<void>> = {
  'kill a worker': (chaos, fault) => killPart(chaos, fault, chaos.cluster.workers, chaos.cluster.startWorker),
  'freeze a worker': (chaos, fault) => freezePart(fault, chaos.cluster.workers),
  async 'join a worker'(chaos, { forMs }) {
    const worker = chaos.cluster.startWorker();
    await delay(forMs);
    // Leaves as Kubernetes makes it leave.
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
    await successor.process.waitFor(({ event }) => event === 'update', 'the successor’s first update', takeoverMs);
    process.child.kill('SIGCONT');
    const { code } = await process.exit;
    const said = process.errors.join('\n');
    if (code !== 1 || !said.includes('has taken over'))
      throw new Error(`a superseded coordinator ended with ${code}: ${said}`);
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
};

/** Let another coordinator go on from the newest checkpoint. */
async function succeed(chaos: Chaos): Promise<Office> {
  const successor = await chaos.cluster.startCoordinator('--resume');
  chaos.takeOffice(successor);
  await successor.process.waitFor(({ event }) => event === 'listening', 'the next coordinator', takeoverMs);
  return successor;
}

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
  server.freeze();
  await delay(forMs);
  server.thaw();
}
