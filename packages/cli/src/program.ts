import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { registerBench } from './commands/bench.js';
import { registerCertificates } from './commands/certificates.js';
import { registerCheckpoints } from './commands/checkpoints.js';
import { registerCluster } from './commands/cluster.js';
import { registerDemo } from './commands/demo.js';
import { registerDoctor } from './commands/doctor.js';
import { registerEvaluate } from './commands/evaluate.js';
import { registerKubernetes } from './commands/kubernetes.js';
import { registerMos } from './commands/mos.js';
import { registerExport } from './commands/export.js';
import { registerParts } from './commands/parts.js';
import { registerPrepare } from './commands/prepare.js';
import { registerTrain } from './commands/train.js';
import { registerUpscale } from './commands/upscale.js';
import { registerVgg } from './commands/vgg.js';

/** The command `fourfold` with all of its commands. It throws a CommanderError where commander would end the process. */
export function createProgram(): Command {
  const program = new Command('fourfold')
    .description('Distributed training of SRGAN, 4x image super-resolution.')
    .version(packageVersion())
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'fourfold: ')) });
  registerPrepare(program);
  registerTrain(program);
  registerParts(program);
  registerEvaluate(program);
  registerUpscale(program);
  registerMos(program);
  registerExport(program);
  registerVgg(program);
  registerCheckpoints(program);
  registerCertificates(program);
  registerCluster(program);
  registerKubernetes(program);
  registerDoctor(program);
  registerBench(program);
  registerDemo(program);
  return program;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
