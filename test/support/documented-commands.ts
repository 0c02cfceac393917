import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

/** A command as a page prints it, without its comment. */
export interface DocumentedCommand {
  page: string;
  line: number;
  text: string;
}

/** How a command's line begins in a block, as opposed to output, a table of commands, or a file. */
const starts = /^(npx|npm|node|fourfold|kubectl|helm|docker|git|export|python3?|openssl|for|\.) /;
/** In running text: what a reader would paste. The bare name of a command does not count. */
const pasted =
  /^(npx fourfold|npm (run|test|ci)|node [^ ]+\.mjs|(kubectl|docker) .+ .*[./]|fourfold [a-z]+ (.* )?(-|[^ ]*[./]))/;

/**
 * Every command that the pages of the repository print: in blocks, fenced or indented, and in running text. The changelog has only
 * parts of commands, which its pages print in full.
 */
export function documentedCommands(): DocumentedCommand[] {
  const pages = execFileSync('git', ['ls-files', '*.md', ':!CHANGELOG.md'], { cwd: repository, encoding: 'utf8' })
    .trim()
    .split('\n');
  return pages.flatMap((page) => commandsOf(page, readFileSync(join(repository, page), 'utf8')));
}

/** The commands of one page; `text` is its Markdown. */
export function commandsOf(page: string, text: string): DocumentedCommand[] {
  const found: DocumentedCommand[] = [];
  const add = (line: number, command: string) => {
    found.push({
      page,
      line: line + 1,
      text: command
        .replace(/\s+#.*$/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    });
  };
  let fence: string | undefined;
  let heredoc: string | undefined;
  let prose = '';
  let proseLine = 0;
  const endProse = () => {
    for (const [, code] of prose.matchAll(/`([^`]+)`/g)) if (pasted.test(code)) add(proseLine, code);
    prose = '';
  };
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const mark = /^```(\w*)/.exec(line);
    if (mark) {
      endProse();
      fence = fence === undefined ? mark[1] : undefined;
      continue;
    }
    const isIndented = fence === undefined && /^ {4}\S/.test(line);
    if (fence === undefined && !isIndented) {
      if (line.trim() === '') endProse();
      if (prose === '') proseLine = i;
      prose += `${line}\n`;
      continue;
    }
    endProse();
    if (heredoc !== undefined) {
      if (line.trim() === heredoc) heredoc = undefined;
      continue;
    }
    const begun = i;
    let command = line.trim();
    while (command.endsWith('\\')) command = `${command.slice(0, -1)} ${lines[++i].trim()}`;
    heredoc = /<<'?(\w+)'?/.exec(command)?.[1];
    // In a table of commands, two spaces precede the description.
    if (starts.test(command) && !/^fourfold [a-z |-]+ {2,}\S/.test(command)) add(begun, command);
  }
  endProse();
  return found;
}
