import type { ObjectStore } from '../objects/types.js';
import { putInTerm } from './term-put.js';
import { iterationOf, termOf } from '../checkpoints/retention.js';

/*
 * Which checkpoints belong to a run. A coordinator that has lost its term may still publish one: it was cut off, and
 * the partition heals. So each term records the checkpoint that it resumed from, and what an older term wrote beyond
 * that is abandoned. The name of an object beside the term's claim records it, for readers who may list a run but not
 * read it:
 *
 *     terms/00000003.from-00000020-0001.json      terms/00000001.from-nothing.json
 */

/** The checkpoint that a term resumed from; none at a run's beginning. */
export interface TermStart {
  term: number;
  from?: string;
}

/** Record the checkpoint that a claimed term resumes from, before it does anything else. */
export const recordTermStart = (
  run: ObjectStore,
  { term, from }: TermStart,
  mayPublish: () => Promise<void>,
): Promise<void> => {
  const key = `terms/${String(term).padStart(8, '0')}.from-${from ?? 'nothing'}.json`;
  return putInTerm(run, key, JSON.stringify({ term, from, startedAt: new Date().toISOString() }), mayPublish);
};

/** All that a run's terms have recorded. Terms of earlier releases have recorded nothing. */
export const listTermStarts = async (run: ObjectStore): Promise<TermStart[]> =>
  (await run.list('terms/')).flatMap(({ key }) => {
    const [, term, from] = /^terms\/(\d+)\.from-(nothing|\d+-\d+)\.json$/.exec(key) ?? [];
    if (term === undefined) return [];
    return [{ term: Number(term), ...(from !== 'nothing' && { from }) }];
  });

/**
 * The checkpoints of a run that count: all of the newest term's; those of the term that it resumed from, up to the
 * checkpoint where it did; and so on. Terms that were passed over wrote nothing that counts. A term that has recorded
 * nothing is treated as one with the term before it.
 */
export function checkpointsInLineage(names: readonly string[], starts: readonly TermStart[]): string[] {
  const newestFirst = starts.toSorted((a, b) => b.term - a.term);
  /** What counts: the checkpoints of the terms from `first` to `last`, up to an iteration. */
  const stretches: { first: number; last: number; iterations: number }[] = [];
  let last = Infinity;
  let iterations = Infinity;
  for (;;) {
    const start = newestFirst.find(({ term }) => term <= last);
    stretches.push({ first: start?.term ?? 0, last, iterations });
    // A record that does not lead to an older term is ignored.
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
