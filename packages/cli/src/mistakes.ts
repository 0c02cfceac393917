import type { Command, CommanderError, Option } from 'commander';
import { didYouMean, FourfoldError } from '@fourfold/common/basics';

/*
 * Mistakes in a command line. commander finds them; here they get the form of all other errors: the thing, the reason, what to do.
 */

/** Commander's error about `args` as ours; undefined if it is not about a mistake, such as after --help. */
export function mistakeOf(
  { code, message }: Pick<CommanderError, 'code' | 'message'>,
  program: Command,
  args: readonly string[],
): FourfoldError | undefined {
  const { command, rest } = commandOf(program, args);
  const help = `\`${fullName(command)} --help\` describes it`;
  const refuse = (text: string, hint = help) => new FourfoldError('invalid', text, { hint });
  switch (code) {
    case 'commander.unknownOption':
      return unknownOption(quoted(message), command);
    case 'commander.missingMandatoryOptionValue': {
      // An option that is missing may be there, misspelt.
      const [unknown] = unknownIn(command, rest);
      if (unknown !== undefined) return unknownOption(unknown, command);
      const missing = command.options.filter(isMissing(command)).map(({ flags }) => flags);
      return refuse(`${shortName(command)}: ${missing.join(' and ')} must be given`);
    }
    case 'commander.optionMissingArgument':
      return refuse(`${nameOf(quoted(message))}: its value is missing`);
    case 'commander.missingArgument':
      return refuse(`${shortName(command)}: <${quoted(message)}> must be given`);
    case 'commander.invalidArgument':
      return invalidValue(message, command);
    case 'commander.excessArguments':
      return refuse(
        `${shortName(command)}: ${excess(command, args)}`,
        `\`${fullName(command)} --help\` describes its arguments`,
      );
    case 'commander.unknownCommand':
      return unknownCommand(quoted(message), command);
    case 'commander.conflictingOption':
    case 'commander.error':
      return refuse(
        message.replace(/^error: /, '').replaceAll(/option '([^']*)'/g, (_, flags: string) => nameOf(flags)),
      );
    default:
      return undefined;
  }
}

const quoted = (message: string): string => /'(.*?)'/s.exec(message)?.[1] ?? '';

/** The option's long name among its flags. */
const nameOf = (flags: string): string => /--[\w-]+/.exec(flags)?.[0] ?? flags;

const fullName = (command: Command): string =>
  command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();

/** Without the program's own name. */
const shortName = (command: Command): string => fullName(command).replace(/^fourfold /, '');

/** The command that the arguments name, and what follows its name. */
function commandOf(program: Command, args: readonly string[]): { command: Command; rest: string[] } {
  let command = program;
  let used = 0;
  for (;;) {
    const next = command.commands.find((sub) => sub.name() === args[used]);
    if (!next) return { command, rest: args.slice(used) };
    command = next;
    used++;
  }
}

const isMissing =
  (command: Command) =>
  (option: Option): boolean =>
    option.mandatory && command.getOptionValue(option.attributeName()) === undefined;

/** The options among the arguments that the command does not know. */
function unknownIn(command: Command, rest: string[]): string[] {
  const end = rest.indexOf('--');
  const given = end === -1 ? rest : rest.slice(0, end);
  return given
    .filter((text) => /^--\w/.test(text))
    .map((text) => text.split('=')[0])
    .filter((name) => !command.options.some(({ long }) => long === name) && name !== '--help');
}

function unknownOption(given: string, command: Command): FourfoldError {
  const [name] = given.split('=');
  if (/^-[^-]./.test(name)) {
    return new FourfoldError('invalid', `unknown option ${name}`, { hint: `a file of that name is ./${name}` });
  }
  const known = [...command.options.flatMap(({ long }) => long ?? []), '--help'];
  return new FourfoldError('invalid', `${shortName(command)}: unknown option ${name}`, {
    hint: didYouMean(name, known, `\`${fullName(command)} --help\` lists its options`),
  });
}

function unknownCommand(given: string, command: Command): FourfoldError {
  const names = command.commands.map((sub) => sub.name());
  const hint = didYouMean(given, names, `the commands are ${names.join(', ')}`);
  return new FourfoldError('invalid', `unknown command ${given}`, { hint });
}

/** A value that a parser or a list of choices refuses. */
function invalidValue(message: string, command: Command): FourfoldError {
  const [, flags, ofOption, ofArgument, argument, reason] =
    /^error: (?:option '([^']+)' argument '(.*)' is invalid|command-argument value '(.*)' is invalid for argument '([^']+)')\. (.*)$/s.exec(
      message,
    ) ?? [];
  const value = ofOption ?? ofArgument ?? '';
  const subject = flags === undefined ? `<${argument}>` : nameOf(flags);
  const option = command.options.find((known) => known.flags === flags);
  if (option?.argChoices) {
    return new FourfoldError('invalid', `${subject} is ${value}: it must be one of ${option.argChoices.join(', ')}`, {
      hint: didYouMean(value, option.argChoices),
    });
  }
  return new FourfoldError('invalid', `${subject} is ${value}: ${asReason(reason ?? message)}`);
}

/** `It must be a whole number.` as the end of a line. */
const asReason = (sentence: string): string =>
  sentence.replace(/^(It|For)\b/, (word) => word.toLowerCase()).replace(/\.$/, '');

function excess(command: Command, args: readonly string[]): string {
  const expected = command.registeredArguments.map((argument) => `<${argument.name()}>`);
  const takes = expected.length === 0 ? 'no arguments' : expected.join(' ');
  return `it takes ${takes}, but more was given: ${command.args.slice(expected.length).join(' ') || args.at(-1)}`;
}
