import { expect, test, vi } from 'vitest';
import { createProgram } from './program.js';

test.each([
  ['mos prepare --images A --images B', "'--images <place>' takes one value, and was given A and B"],
  ['prepare --part train --part=test', "'--part <name>' takes one value, and was given train and test"],
  ['train run.yaml --workers 2 --workers 2', "'--workers <n>' takes one value, and was given 2 and 2"],
  ['coordinator --config a.yaml --config b.yaml', "'--config <file>' takes one value, and was given a.yaml and b.yaml"],
  ['evaluate --format csv --format text', "'--format <name>' takes one value, and was given csv and text"],
])('%s is refused', async (line, reason) => {
  const args = line.split(' ');
  const program = await createProgram(args[0]);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await expect(program.parseAsync(args, { from: 'user' })).rejects.toMatchObject({ code: 'commander.error' });
  expect(stderr.mock.calls.map(([text]) => text)).toEqual([`fourfold: option ${reason}\n`]);
  stderr.mockRestore();
});

test('an option that collects, and a flag, may be repeated', async () => {
  const program = await createProgram('train');
  const [train] = program.commands;
  let given: unknown;
  train.action((_, options) => void (given = options));
  const args = ['train', 'run.yaml', '--set', 'seed=1', '--set', 'seed=2', '--resume', '--resume'];
  await program.parseAsync(args, { from: 'user' });
  expect(given).toMatchObject({ set: ['seed=1', 'seed=2'], resume: true });
});
