// Installs the servers of `fourfold cluster` that the machine lacks: `npx fourfold setup servers`.
import { parseArgs } from 'node:util';
import { installMissing, say } from './installing.mjs';
import { help, servers, sourcesOf } from './servers.mjs';

const known = servers.flatMap(({ programs }) => programs);

try {
  await main();
} catch (error) {
  // Of parseArgs: an option that does not exist.
  if (!/^ERR_PARSE_ARGS/.test(error.code)) throw error;
  refuse(error.message.split('.')[0]);
}

async function main() {
  const options = { help: { type: 'boolean', short: 'h' } };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) return console.log(`npx fourfold setup servers [PROGRAM ...]\n\n${help}`);
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) return refuse(`${unknown} is not one of ${known.join(', ')}`);
  await installMissing(sourcesOf(servers, positionals));
}

function refuse(reason) {
  say(`${reason}; --help lists the options and the programs`);
  process.exitCode = 2;
}
