// An opinion test of the generators that come with fourfold, ready to be opened: npm run study [-- --images PLACE --http HOST:PORT].
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { modelNames } from '../packages/cli/dist/upscaling/models.js';
import { runChild } from './child-processes.mjs';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: 'examples/photographs/held-out' },
    out: { type: 'string', default: 'out/study' },
    http: { type: 'string', default: '127.0.0.1:8090' },
    help: { type: 'boolean', short: 'h' },
  },
});
const { images, out, http, help } = values;
if (help) {
  console.log(`npm run study -- [--images PLACE] [--out DIR] [--http HOST:PORT]

Prepares a study of bicubic, ${modelNames.join(', ')} and the originals in out/study, unless it is there already, and serves its page. Ctrl-C ends
it; fourfold mos report out/study reports the ratings.`);
  process.exit(0);
}

const fourfold = async (...args) => {
  const command = ['packages/cli/bin/fourfold.js', 'mos', ...args];
  const { code } = await runChild(process.execPath, command, { stdio: 'inherit' });
  return code ?? 1;
};

const isPrepared = existsSync(join(out, 'study.json'));
if (isPrepared)
  console.log(`the study in ${out} already exists and continues; --out names another folder for a new one`);
const methods = ['--method', 'bicubic', '--method', 'original', '--model', ...modelNames];
const options = ['--images', images, '--out', out, '--name', 'shipped-models', '--repeats', '4', ...methods];
process.exitCode = isPrepared ? 0 : await fourfold('prepare', ...options);
if (process.exitCode === 0) process.exitCode = await fourfold('serve', out, '--http', http);
