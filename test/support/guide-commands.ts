import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './documented-commands.js';

/**
 * The commands of a page as printed: those of its console blocks, with comments, continued lines, loops and files that they write, and in running text those
 * that a pod runs.
 */
export function typedCommands(page: string): string[] {
  const text = readFileSync(join(repository, page), 'utf8');
  const blocks = [...text.matchAll(/^```console\n([^]*?)^```/gm)].flatMap(([, block]) => commandsIn(block));
  const inProse = [...text.matchAll(/`(kubectl -n\s+\S+\s+exec [^`]+)`/g)].map(([, code]) =>
    code.replaceAll(/\s+/g, ' '),
  );
  return [...blocks, ...inProse];
}

function commandsIn(block: string): string[] {
  const commands: string[] = [];
  let begun = '';
  for (const line of block.split('\n').filter(Boolean)) {
    begun += `${line}\n`;
    if (!isWhole(begun)) continue;
    commands.push(begun.trimEnd());
    begun = '';
  }
  return begun ? [...commands, begun] : commands;
}

function isWhole(text: string): boolean {
  const [, end] = /<<'?(\w+)'?/.exec(text) ?? [];
  if (end !== undefined) return text.endsWith(`\n${end}\n`);
  return text.startsWith('for ') ? text.endsWith('\ndone\n') : !text.endsWith('\\\n');
}
