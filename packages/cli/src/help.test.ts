import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from './program.js';

const commandsOf = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsOf)];

/** Words that do not say what a value is. */
const noNames = /^(an?|the|where|how|what|which|whose|may|put|take|leave|cut|override|multiply|start)\b/;

test('helps begin alike: with what a value is, in lower case unless it is a name, without an article or a full stop', async () => {
  const odd: string[] = [];
  for (const command of commandsOf(await createProgram())) {
    const described = [...command.options, ...command.registeredArguments];
    for (const about of described) {
      const { description } = about;
      const isValue = !('isBoolean' in about) || !about.isBoolean();
      const begins = isValue ? !noNames.test(description) : /^[a-z]/.test(description);
      if (!begins || /\.$/.test(description)) odd.push(`${command.name()}: ${about.name()}: ${description}`);
    }
  }
  expect(odd).toEqual([]);
});

test('descriptions are sentences, summaries are not', async () => {
  const odd = commandsOf(await createProgram())
    .filter((command) => !/^([A-Z].*[.`)])?$/s.test(command.description()) || /\.$/.test(command.summary()))
    .map((command) => `${command.name()}: ${command.summary()}: ${command.description()}`);
  expect(odd).toEqual([]);
});

test('defaults stand where they matter: not those that do nothing', async () => {
  for (const command of commandsOf(await createProgram())) {
    expect(command.helpInformation()).not.toMatch(/\(default: (\[\]|false|none|refuse|"")\)/);
  }
});
