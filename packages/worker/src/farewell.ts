import {
  createCoordinatorClient,
  failureCode,
  machineId,
  newestTerm,
  protocolVersion,
  reasonOf,
  runStore,
  type RunConfig,
} from '@fourfold/common';

/** It is a courtesy: who ends does not wait for long. */
const tellMs = 3_000;

/** Tell the run's coordinator why this worker ends before it has joined, where there is one. */
export async function tellWhyNotStarted(
  { config, coordinator }: { config: RunConfig; coordinator?: string },
  error: unknown,
): Promise<void> {
  await Promise.race([tell(config, coordinator, error).catch(() => undefined), late()]);
}

const late = () => new Promise<void>((resolve) => setTimeout(resolve, tellMs).unref());

async function tell(config: RunConfig, coordinator: string | undefined, error: unknown): Promise<void> {
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
