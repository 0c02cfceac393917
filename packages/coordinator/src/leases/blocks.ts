/*
 * Blocks of neighbouring tasks, one for each worker: along a chain a sum passes a worker once if what it holds is in one piece.
 */

interface PlacedTask {
  key: string;
  place?: number;
  leases: readonly { worker: number }[];
}

/**
 * The tasks, each of those with a place preferring the worker whose block it is in. The middle of a block comes first, so that what is left
 * of it is at its ends, where its neighbours may help.
 */
export function withBlocks<Task extends PlacedTask>(
  tasks: readonly Task[],
  workers: readonly { id: number; host?: string }[],
  isAvailable: (worker: number) => boolean,
): readonly (Task & { preferredWorker?: number })[] {
  if (tasks.every(({ place }) => place === undefined)) return tasks;
  const inOrder = workers
    .filter(({ id }) => isAvailable(id))
    .sort((a, b) => compareText(a.host ?? '', b.host ?? '') || a.id - b.id);
  return tasks
    .map((task) => {
      if (task.place === undefined) return { task, fromMiddle: 0 };
      const block = Math.floor(task.place * inOrder.length);
      const fromMiddle = Math.abs(task.place - (block + 0.5) / inOrder.length);
      return { task: { ...task, preferredWorker: inOrder[block].id }, fromMiddle };
    })
    .sort((a, b) => a.fromMiddle - b.fromMiddle)
    .map(({ task }) => task);
}

const compareText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Who holds the neighbours of tasks that have a place. */
export interface Neighbours {
  /** Workers that compute a task next to this one, or hold its result. */
  of(key: string): readonly number[];
  granted(key: string, worker: number): void;
}

export function neighboursOf(tasks: readonly PlacedTask[]): Neighbours {
  const inOrder = tasks
    .filter(({ place }) => place !== undefined)
    .sort((a, b) => (a.place ?? 0) - (b.place ?? 0))
    .map(({ key, leases }) => ({ key, holders: leases.map(({ worker }) => worker) }));
  const indexes = new Map(inOrder.map(({ key }, index) => [key, index]));
  return {
    of(key) {
      const index = indexes.get(key);
      if (index === undefined) return [];
      return [inOrder[index - 1], inOrder[index + 1]].flatMap((neighbour) => neighbour?.holders ?? []);
    },
    granted(key, worker) {
      const index = indexes.get(key);
      if (index !== undefined) inOrder[index].holders.push(worker);
    },
  };
}
