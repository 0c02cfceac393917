#!/usr/bin/env node
const [command, ...options] = process.argv.slice(2);
if (command === 'setup') {
  process.argv.splice(2, 1);
  await import('../setup/setup-torch.mjs');
} else {
  const isHelp = command === '--help' || command === '-h' || command === 'help';
  const write = isHelp && options.length === 0 ? console.log : console.error;
  write(
    'tfjs-torch: the only command is tfjs-torch setup, which compiles the addon; tfjs-torch setup --help lists its options',
  );
  process.exitCode = isHelp ? 0 : 2;
}
