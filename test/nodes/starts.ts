import { expect, test } from 'vitest';
import { onFirstNode, short, type Runs } from './runs.js';

/** Runs that do not start. */
export function testStarts(runs: () => Runs): void {
  test.sequential('what keeps a run from starting is said on one line', async () => {
    const { fourfold, submit, watch } = runs();
    const refused = await submit('unpulled', short, '--image', 'registry.invalid/missing:1', ...onFirstNode);
    expect(refused.code).toBe(1);
    expect(refused.stderr.split('\n').at(-1)).toMatch(
      /registry\.invalid\/missing:1 cannot be pulled: .*registry\.invalid/,
    );
    await fourfold('cancel', 'unpulled');
    // They may all run for a moment.
    await submit('small', short, '--memory', '40Mi', ...onFirstNode);
    const said = /workers? (was|were) killed: out of memory, the limit is 40Mi/;
    await watch('small').next('out of memory', ({ problems }) => problems.some((problem) => said.test(problem)));
    await fourfold('cancel', 'small');
  });
}
