import { expect } from 'vitest';
import { typedCommands } from './guide-commands.js';
import type { Reader } from './guide-reader.js';
import type { Step } from './guide-steps.js';

const page = 'docs/kubernetes.md';

/** Steps with the commands of the page that they match, each the next one of those that match. Throws if a step has none. */
export function withCommands<S extends Step>(steps: readonly S[]): { step: S; text: string }[] {
  const left = typedCommands(page);
  return steps.map((step) => {
    const place = left.findIndex((text) => step.command.test(text));
    if (place < 0) throw new Error(`${page} has no command for ${String(step.command)}`);
    const [text] = left.splice(place, 1);
    return { step, text };
  });
}

/** The page's commands that no step matches. */
export function commandsWithout(steps: readonly Step[]): string[] {
  const left = typedCommands(page);
  for (const { text } of withCommands(steps)) left.splice(left.indexOf(text), 1);
  return left;
}

/** Type the commands of these steps as the page prints them, and expect what they promise. */
export async function follow(reader: Reader, steps: readonly Step[]): Promise<void> {
  const { shell, ownWords } = reader;
  for (const { step, text } of withCommands(steps)) {
    if ('skipped' in step) continue;
    await step.first?.(reader);
    const own = [...ownWords, ...(step.instead ? [step.instead] : [])];
    const command = own.reduce((all, [from, to]) => all.replaceAll(from, to), text);
    const says = step.says ?? /^/;
    const { code, output } = await (step.endless ? shell.interrupt(command, says) : shell.run(command));
    if (!step.endless) expect(code, `${command}\n${output}`).toBe(step.code ?? 0);
    expect(output, command).toMatch(says);
  }
}
