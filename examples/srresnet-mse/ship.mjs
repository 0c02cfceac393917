/*
 * Makes the folder `checkpoint/` beside this file from a run: its best checkpoint's generator, without what only training needs.
 *   node examples/srresnet-mse/ship.mjs out/store/runs/srresnet-mse/checkpoints/00027000-0001
 * test/evaluation-reference/make.py then says anew what others measure of it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const from = process.argv[2];
if (!from) throw new Error('usage: node ship.mjs CHECKPOINT');
const to = new URL('checkpoint/', import.meta.url);
mkdirSync(to, { recursive: true });
// What evaluations measured, where the run kept a moving average.
const averaged = join(from, 'generator-average.safetensors');
const generator = readFileSync(existsSync(averaged) ? averaged : join(from, 'generator.safetensors'));
writeFileSync(new URL('generator.safetensors', to), generator);

const manifest = JSON.parse(readFileSync(join(from, 'manifest.json'), 'utf8'));
// Where it was trained is nobody's business.
const config = { ...manifest.config };
for (const key of ['store', 'dataset', 'validation', 'startFrom']) delete config[key];
const sha256 = createHash('sha256').update(generator).digest('hex');
manifest.files = { 'generator.safetensors': { sizeBytes: generator.byteLength, sha256 } };
const { evaluations } = manifest.history;
manifest.history = { ...manifest.history, rows: [], evaluations: evaluations.slice(-1) };
writeFileSync(new URL('manifest.json', to), `${JSON.stringify({ ...manifest, config }, null, 2)}\n`);
