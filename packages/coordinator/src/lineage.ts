import { type ObjectStore, putInTerm } from '@fourfold/common';
import { iterationOf, termOf } from './retention.js';

/*
 * Which checkpoints are a run's. A coordinator that has lost its term may still publish one: it was cut off, and a partition heals. So
 * each term says from which checkpoint it went on, and what an older term wrote beyond that is nobody's. An object beside the term's
 * claim says it by its name, for those who may list a run and not read it:
 *
 *     terms/00000003.from-00000020-0001.json      terms/00000001.from-nothing.json
 */

/** From which checkpoint a term went on; none at a run's beginning. */
export interface TermStart {
  term: number;
  from?: string;
}

/** Record from which checkpoint a claimed term goes on, before it does anything else. */
export const recordTermStart = (
  run: ObjectStore,
  { term, from }: TermStart,
  mayPublish: () => Promise<void>,
): Promise<void> => {
  const key = `terms/${String(term).padStart(8, '0')}.from-${from ?? 'nothing'}.json`;
  return putInTerm(run, key, JSON.stringify({ term, from, startedAt: new Date().toISOString() }), mayPublish);
};

/** All that a run's terms have recorded. Terms of releases before have recorded nothing. */
export const listTermStarts = async (run: ObjectStore): Promise<TermStart[]> =>
  (await run.list('terms/')).flatMap(({ key }) => {
    const [, term, from] = /^terms\/(\d+)\.from-(nothing|\d+-\d+)\.json$/.exec(key) ?? [];
    if (term === undefined) return [];
    return [{ term: Number(term), ...(from !== 'nothing' && { from }) }];
  });

/**
 * Those of a run's checkpoints that count. The newest term's all do; of the term that it went on from those up to the checkpoint where
 * it did; and so on. Terms that are passed over wrote nothing that counts. A term that has recorded nothing is taken together
 * with the one before it.
 */
export function checkpointsInLineage(names: readonly string[], starts: readonly TermStart[]): string[] {
  const newestFirst = starts.toSorted((a, b) => b.term - a.term);
  /** What counts: of the terms from `first` to `last` the checkpoints up to an iteration. */
  const stretches: { first: number; last: number; iterations: number }[] = [];
  let last = Infinity;
  let iterations = Infinity;
  for (;;) {
    const start = newestFirst.find(({ term }) => term <= last);
    stretches.push({ first: start?.term ?? 0, last, iterations });
    // A record that leads nowhere older is none.
    if (start?.from === undefined || termOf(start.from) >= start.term) break;
    last = termOf(start.from);
    iterations = Math.min(iterations, iterationOf(start.from));
  }
  return names.filter((name) =>
    stretches.some(
      ({ first, last, iterations }) => termOf(name) >= first && termOf(name) <= last && iterationOf(name) <= iterations,
    ),
  );
}
