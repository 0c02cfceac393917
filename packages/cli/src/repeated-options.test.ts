import { expect, test } from 'vitest';
import { createProgram, runCommand } from './program.js';

test.each([
  ['mos prepare --images A --images B', '--images takes one value, and was given A and B'],
  ['prepare --part train --part=test', '--part takes one value, and was given train and test'],
  ['train run.yaml --workers 2 --workers 2', '--workers takes one value, and was given 2 and 2'],
  ['coordinator --config a.yaml --config b.yaml', '--config takes one value, and was given a.yaml and b.yaml'],
  ['evaluate --format csv --format text', '--format takes one value, and was given csv and text'],
])('%s is refused', async (line, message) => {
  await expect(runCommand(line.split(' '))).rejects.toMatchObject({ code: 'invalid', message });
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
