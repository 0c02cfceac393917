/*
 * Makes the folder `checkpoint/` of an example from a run's checkpoint: its generator, without what only training needs.
 *   node examples/srresnet-mse/ship.mjs out/store/runs/srresnet-mse/checkpoints/00027000-0001 [EXAMPLE]
 * EXAMPLE is the folder of this file unless given.
 * test/evaluation-reference/make.py then says anew what others measure of it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [from, example = fileURLToPath(new URL('.', import.meta.url))] = process.argv.slice(2);
if (!from) throw new Error('usage: node ship.mjs CHECKPOINT [EXAMPLE]');
const to = join(example, 'checkpoint');
mkdirSync(to, { recursive: true });
// What evaluations measured, where the run kept a moving average.
const averaged = join(from, 'generator-average.safetensors');
const generator = readFileSync(existsSync(averaged) ? averaged : join(from, 'generator.safetensors'));
writeFileSync(join(to, 'generator.safetensors'), generator);

const manifest = JSON.parse(readFileSync(join(from, 'manifest.json'), 'utf8'));
// Where it was trained is nobody's business.
const config = { ...manifest.config };
for (const key of ['store', 'dataset', 'validation', 'startFrom', 'discriminatorFrom', 'vgg']) delete config[key];
// It is known by its example's name.
config.name = manifest.run = basename(resolve(example));
const sha256 = createHash('sha256').update(generator).digest('hex');
manifest.files = { 'generator.safetensors': { sizeBytes: generator.byteLength, sha256 } };
const { evaluations } = manifest.history;
const latest = evaluations.slice(-1).map((evaluation) => ({ ...evaluation, of: undefined }));
manifest.history = { ...manifest.history, rows: [], evaluations: latest };
writeFileSync(join(to, 'manifest.json'), `${JSON.stringify({ ...manifest, config }, null, 2)}\n`);
