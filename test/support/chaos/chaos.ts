import type { Cluster, Office } from '../cluster.js';
import type { Process } from '../process.js';
import type { Fault } from './faults.js';

/** What an injection needs besides the cluster. */
export interface Chaos {
  cluster: Cluster;
  /** The coordinator in office. */
  office: () => Office;
  /** Make another coordinator the one in office. */
  takeOffice: (office: Office) => void;
  /** Processes whose end is not a failure: a fault struck them. */
  struck: Set<Process>;
  /** What machines in trouble have reported. */
  troubles: string[];
}

/** Injects a fault and reverts it after its time; resolves when it is over. */
export type Injection = (chaos: Chaos, fault: Fault) => Promise<void>;

const takeoverMs = 180_000;

/** Let another coordinator resume from the newest checkpoint. */
export async function succeed(chaos: Chaos): Promise<Office> {
  const successor = await chaos.cluster.startCoordinator('--resume');
  chaos.takeOffice(successor);
  await successor.process.waitFor(({ event }) => event === 'listening', 'the next coordinator', takeoverMs);
  return successor;
}

export const firstUpdate = ({ process }: Office) =>
  process.waitFor(({ event }) => event === 'update', 'the successor’s first update', takeoverMs);

/** Expect a superseded coordinator to end and say so. */
export const expectSuperseded = (process: Process): Promise<void> => expectEnd(process, [1], /has taken over/);

/** Expect a process to end with one of these exit codes and a reason on stderr. */
export async function expectEnd(process: Process, codes: readonly number[], reason: RegExp): Promise<void> {
  const { code } = await process.exit;
  const said = process.errors.join('\n');
  if (!codes.includes(code ?? -1) || !reason.test(said)) throw new Error(`it ended with ${code}: ${said}`);
}
