import { createCoordinatorClient, protocolVersion, reasonOf } from '@fourfold/rpc';
import { failureCode, machineId, withDeadline, type RunConfig } from '@fourfold/common';
import { newestTerm, runStore } from '@fourfold/store';

/** A courtesy: a worker that ends does not wait long for it. */
const reportMs = 3_000;

/** Report to the run's coordinator, if there is one, why this worker ends before it has joined. */
export async function reportWhyNotStarted(
  { config, coordinator }: { config: RunConfig; coordinator?: string },
  error: unknown,
): Promise<void> {
  await withDeadline(report(config, coordinator, error), reportMs, () => undefined).catch(() => undefined);
}

async function report(config: RunConfig, coordinator: string | undefined, error: unknown): Promise<void> {
  const address = coordinator ?? (await newestTerm(runStore(config)))?.address;
  if (!address) return;
  const client = createCoordinatorClient(address, 'control');
  const about = { protocolVersion, run: config.name, machine: machineId() };
  const call = client.Join();
  const answered = new Promise<void>((resolve) => {
    call.on('error', () => resolve());
    call.on('end', resolve);
  });
  call.resume();
  call.write({ leaving: { ...about, code: failureCode(error), reason: reasonOf(error) } });
  call.end();
  await answered;
  client.close();
}
