import { expect, test } from 'vitest';
import { checkpointsInLineage, type TermStart } from './lineage.js';

/*
 * A scenario a test: checkpoints as ITERATION-TERM, terms as TERM<CHECKPOINT.
 */

const name = (short: string) => {
  const [iteration, term] = short.split('-');
  return `${iteration.padStart(8, '0')}-${term.padStart(4, '0')}`;
};
const startOf = (short: string): TermStart => {
  const [term, from] = short.split('<');
  return { term: Number(term), ...(from && { from: name(from) }) };
};
const counting = (checkpoints: string, terms: string) =>
  checkpointsInLineage(checkpoints.split(' ').map(name), terms.split(' ').filter(Boolean).map(startOf)).map((full) =>
    full.split('-').map(Number).join('-'),
  );

test.each([
  ['one term', '0-1 10-1 20-1', '1<', '0-1 10-1 20-1'],
  ['a run of an earlier release, whose terms recorded nothing', '10-1 20-1 20-2 30-3', '', '10-1 20-1 20-2 30-3'],
  ['a restart resumes from the newest', '10-1 20-1 30-2', '1< 2<20-1', '10-1 20-1 30-2'],
  ['the predecessor publishes after the takeover: does not count', '10-1 20-1 30-1 40-1', '1< 2<20-1', '10-1 20-1'],
  ['nor does it count when the newer term is past it', '20-1 30-1 30-2 40-2', '1< 2<20-1', '20-1 30-2 40-2'],
  ['a late one in between does not count either', '20-1 25-1 40-2', '1< 2<20-1', '20-1 40-2'],
  ['a checkpoint at the very iteration is the same state', '20-1 20-2 30-3', '1< 2<20-1 3<20-2', '20-1 20-2 30-3'],
  ['a newer term began anew: it found nothing', '10-1 10-2', '1< 2<', '10-2'],
  ['the newest was damaged, so it resumed from the one before', '10-1 20-1 20-2', '1< 2<10-1', '10-1 20-2'],
  ['a bound holds for all earlier terms', '10-1 20-1 30-2 40-2 40-3', '1< 2<20-1 3<30-2', '10-1 20-1 30-2 40-3'],
  ['a late one of a term before the last', '10-1 90-1 20-2 30-3', '1< 2<10-1 3<20-2', '10-1 20-2 30-3'],
  ['a term that was passed over has no effect', '10-1 20-1 30-3', '1< 2<10-1 3<20-1', '10-1 20-1 30-3'],
  ['nor do its checkpoints count', '10-1 15-2 30-3', '1< 2<10-1 3<10-1', '10-1 30-3'],
  ['the first terms recorded nothing', '10-1 20-2 30-2 40-3', '3<20-2', '10-1 20-2 40-3'],
  ['an earlier release comes in between', '20-1 30-1 40-2 50-2 60-3', '1< 3<40-2', '20-1 30-1 40-2 60-3'],
  ['an earlier release resumes', '10-1 20-1 20-2 30-3', '1< 2<10-1', '10-1 20-2 30-3'],
  ['the checkpoint that a term resumed from was pruned', '10-1 40-2', '1< 2<20-1', '10-1 40-2'],
  ['a record that leads in a circle', '10-1 20-2', '2<10-3', '20-2'],
])('%s', (_, checkpoints, terms, expected) => {
  expect(counting(checkpoints, terms).join(' ')).toBe(expected);
});
