import type { LogEvent } from '../process.js';

/** What one coordinator did in its term. */
export interface TermLog {
  term: number;
  /** The checkpoint that it began from. */
  from?: { iteration: number; term: number };
  /** Its updates in order, as `network iteration`. */
  updates: string[];
}

/** Read a coordinator's log; undefined if it never took office. */
export function termLog(events: readonly LogEvent[]): TermLog | undefined {
  const listening = events.find(({ event }) => event === 'listening');
  if (!listening) return undefined;
  const resumed = events.find(({ event }) => event === 'resumed');
  const [, iteration, term] = /^(\d+)-(\d+)$/.exec(String(resumed?.['checkpoint'])) ?? [];
  return {
    term: Number(listening['term']),
    ...(resumed && { from: { iteration: Number(iteration), term: Number(term) } }),
    updates: events
      .filter(({ event }) => event === 'update')
      .map((event) => `${String(event['network'])} ${String(event['iteration'])}`),
  };
}

/**
 * The updates that a checkpoint of `iteration` iterations holds: those of the term that wrote it, after those of the
 * checkpoint that this term began from, and so on. For checkpoints at the end of an iteration; one between the halves
 * has one more update.
 */
export function lineage(terms: readonly TermLog[], last: { iteration: number; term: number }): string[] {
  const own = terms.find(({ term }) => term === last.term);
  if (!own) throw new Error(`no coordinator of term ${last.term} has left a log`);
  const before = own.from ? lineage(terms, own.from) : [];
  const end = own.updates.findIndex((update) => update === `generator ${last.iteration - 1}`);
  return [...before, ...own.updates.slice(0, end + 1)];
}

/** The updates of the whole schedule, each once, in order. */
export const wholeSchedule = (phases: readonly { kind: string; iterations: number }[]): string[] =>
  phases.flatMap(({ kind, iterations }, phase) => {
    const first = phases.slice(0, phase).reduce((sum, earlier) => sum + earlier.iterations, 0);
    return Array.from({ length: iterations }, (_, i) => [
      ...(kind === 'gan' ? [`discriminator ${first + i}`] : []),
      `generator ${first + i}`,
    ]).flat();
  });

/** Abandoned checkpoints that a term began from: an earlier term had already resumed from an iteration before them. */
export const begunFromNobodys = (terms: readonly TermLog[]): string[] =>
  terms.flatMap(({ term, from }) => {
    if (!from) return [];
    const between = terms.filter((other) => other.term > from.term && other.term < term);
    const passedOver = between.filter((other) => (other.from?.iteration ?? 0) < from.iteration);
    return passedOver.map(
      (other) => `term ${term} began from ${from.iteration}-${from.term}, which term ${other.term} had passed over`,
    );
  });
