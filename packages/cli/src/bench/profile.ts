import { Session, type Profiler } from 'node:inspector/promises';

/*
 * Which part of the program a thread spends its time in, by V8's sampling profiler.
 */

/** The parts that are the coordinator's own code. */
export const ownParts = ['leases', 'failures, sessions', 'reduction', 'status page'] as const;

/** Parts by where the code lies, the first that matches. */
const parts: readonly [part: string, place: RegExp][] = [
  ['leases', /coordinator\/(dist|src)\/leases\//],
  ['failures, sessions', /coordinator\/(dist|src)\/(serve|training\/(failure|lost))/],
  ['reduction', /coordinator\/(dist|src)\/(training|updates|exchange)\//],
  ['status page', /coordinator\/(dist|src)\/status\//],
  ['messages', /protobufjs|packages\/rpc\/|@fourfold\/rpc|zod/],
  ['gRPC', /@grpc\//],
  ['Node.js', /^node:/],
];

/** The part of a frame of the stack. */
export function partOf({ functionName, url }: Pick<Profiler.ProfileNode['callFrame'], 'functionName' | 'url'>): string {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(program)') return 'system calls';
  return parts.find(([, place]) => place.test(url))?.[0] ?? 'other';
}

/** Shares of the time in which the thread was not idle, by part. They add up to 1. */
export function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Record<string, number> {
  const part = new Map(nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]));
  const spent: Record<string, number> = {};
  let total = 0;
  for (const [i, node] of samples.entries()) {
    const name = part.get(node) ?? 'other';
    if (name === 'idle') continue;
    spent[name] = (spent[name] ?? 0) + timeDeltas[i];
    total += timeDeltas[i];
  }
  const sorted = Object.entries(spent).sort((a, b) => b[1] - a[1]);
  return Object.fromEntries(sorted.map(([name, time]) => [name, time / total]));
}

/** Profile this thread while `act` runs. */
export async function profileThread<T>(act: () => Promise<T>): Promise<{ result: T; shares: Record<string, number> }> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    const result = await act();
    const { profile } = await session.post('Profiler.stop');
    return { result, shares: sharesOf(profile) };
  } finally {
    session.disconnect();
  }
}
