import type { Command, Option } from 'commander';
import { isRepeatable } from './commands/arguments.js';

/**
 * Refuse an option with one value that is given twice, in all commands below: commander would silently take the last. Options
 * that collect values may be repeated, and flags say the same twice.
 */
export function refuseRepeatedOptions(command: Command): void {
  for (const option of command.options) {
    if (!takesOneValue(option)) continue;
    const given: string[] = [];
    command.on(`option:${option.name()}`, (value: string) => {
      given.push(value);
      if (given.length === 1) return;
      command.error(`error: option '${option.flags}' takes one value, and was given ${given.join(' and ')}`);
    });
  }
  command.commands.forEach(refuseRepeatedOptions);
}

const takesOneValue = (option: Option): boolean =>
  (option.required || option.optional) && !option.variadic && !isRepeatable(option.parseArg);
