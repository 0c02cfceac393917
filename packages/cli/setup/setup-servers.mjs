// Installs the servers of `fourfold cluster` that the machine lacks: `npx fourfold setup servers`.
import { parseArgs } from 'node:util';
import { installMissing } from './installing.mjs';
import { help, servers, sourcesOf } from './servers.mjs';

const { values, positionals } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});
if (values.help) console.log(`npx fourfold setup servers [PROGRAM ...]\n\n${help}`);
else await installMissing(sourcesOf(servers, positionals));
