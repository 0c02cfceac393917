import type { Command } from 'commander';
import { FourfoldError } from '@fourfold/common';
import { formatTable } from '../terminal/table.js';
import { jsonOption, printJson } from './arguments.js';

/** `fourfold doctor`. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('report what this machine has for fourfold')
    .description(
      'Report what this machine has: Node.js, cores, memory, the backends found and why others were not, ' +
        'WebAssembly, picture formats, fonts, places to write and their free space, proxies in the environment. Exits non-zero when ' +
        'something required is missing.',
    )
    .addOption(jsonOption())
    .action(async ({ json }: { json?: true }) => {
      const { examine } = await import('../examination.js');
      const findings = await examine();
      const missing = findings.filter(({ required, ok }) => required && !ok);
      if (json) printJson({ ok: missing.length === 0, findings });
      else {
        const mark = (ok: boolean, required: boolean) => (ok ? 'ok' : required ? 'MISSING' : '-');
        const rows = findings.map(({ subject, ok, required, detail }) => [mark(ok, required), subject, detail]);
        console.log(formatTable(rows, ['left', 'left', 'left']));
      }
      if (missing.length > 0) {
        const names = missing.map(({ subject }) => subject).join(', ');
        throw new FourfoldError('unavailable', `required and missing on this machine: ${names}`);
      }
    });
}
