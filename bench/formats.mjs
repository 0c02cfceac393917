// Measures whether the formats of the exchange cost quality: trains the demo's recipe in each of them, with each number of replicas, and
// prints the PSNR of held-out photographs beside float32's: the mean of the repeats, and each. Repeats differ by a ten-millionth of the learning rate, which
// is enough for another path: how far their results lie apart is chance.
// node bench/formats.mjs [--replicas 2,16] [--formats f32,bf16,sums,int8,all] [--repeats 1] [--mse 1750] [--gan 80] [--backend auto] [--threads 1] [--photographs DIR] [--json]
// DIR has folders `train` and `held-out`; without it the example photographs are taken.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runChild } from '../scripts/child-processes.mjs';

const { values: options } = parseArgs({
  options: {
    replicas: { type: 'string', default: '2,16' },
    formats: { type: 'string', default: 'f32,bf16,sums,int8,all' },
    repeats: { type: 'string', default: '1' },
    mse: { type: 'string', default: '1750' },
    gan: { type: 'string', default: '80' },
    backend: { type: 'string', default: 'auto' },
    threads: { type: 'string', default: '1' },
    photographs: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
/** What each format says in `exchange`. */
const formats = {
  f32: {},
  bf16: { gradients: 'bf16', parameters: 'bf16' },
  sums: { gradients: 'bf16', sums: 'bf16' },
  int8: { parameters: 'int8' },
  all: { gradients: 'bf16', sums: 'bf16', denseGradient: 'factors', parameters: 'int8' },
};
const place = (path) => fileURLToPath(new URL(path, import.meta.url));
const photographs = (kind) => join(options.photographs ?? place('../examples/photographs'), kind);

/** Run a command; returns what it printed. */
async function fourfold(...args) {
  const { code, stdout, stderr } = await runChild(process.execPath, [
    place('../packages/cli/bin/fourfold.js'),
    ...args,
  ]);
  if (code !== 0) throw new Error(`fourfold ${args[0]} ended with code ${code}: ${stderr.slice(-2000)}`);
  return stdout;
}

const folder = await mkdtemp(join(tmpdir(), 'fourfold-formats-'));
try {
  const dataset = join(folder, 'dataset');
  await fourfold('prepare', '--images', photographs('train'), '--out', dataset);
  const rows = [];
  for (const replicas of options.replicas.split(',').map(Number)) {
    for (const format of options.formats.split(',')) {
      const each = [];
      for (let repeat = 0; repeat < Number(options.repeats); repeat++) {
        each.push(await psnrAfter(dataset, replicas, format, repeat));
        console.error(JSON.stringify({ replicas, format, repeat, psnr: each.at(-1) }));
      }
      const psnr = each.reduce((sum, value) => sum + value, 0) / each.length;
      const float32 = rows.find((row) => row.replicas === replicas && row.format === 'f32')?.psnr;
      rows.push({ replicas, format, psnr, difference: float32 === undefined ? undefined : psnr - float32, each });
    }
  }
  if (options.json) console.log(JSON.stringify({ mse: Number(options.mse), gan: Number(options.gan), rows }));
  else console.table(rows);
} finally {
  await rm(folder, { recursive: true });
}

/** Train with one worker, whose number does not change the weights, over the stream, by which deltas cross. */
async function psnrAfter(dataset, replicas, format, repeat) {
  const name = `${format}-${replicas}-${repeat}`;
  const config = join(folder, `${name}.json`);
  const phase = (kind, rate, more) => ({
    kind,
    iterations: Number(options[kind]),
    learningRate: rate * (1 + 1e-7 * repeat),
    ...more,
  });
  await writeFile(
    config,
    JSON.stringify({
      recipe: 'demo',
      ...{ name, dataset, store: join(folder, 'store') },
      data: { globalBatch: Math.max(8, replicas), replicas, crop: 48, cropsPerPicture: 64, windowPictures: 64 },
      phases: [phase('mse', 2e-3, { decay: 'cosine' }), phase('gan', 1e-4)],
      exchange: { transport: 'stream', ...formats[format] },
      workers: { count: 1, threads: Number(options.threads), backend: options.backend },
    }),
  );
  await fourfold('train', config, '--workers', '1');
  const run = join(folder, 'store/runs', name);
  const images = photographs('held-out');
  return JSON.parse(await fourfold('evaluate', '--images', images, '--checkpoint', run, '--json')).mean.psnr;
}
