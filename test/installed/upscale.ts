// Upscales a picture to four times its width and height: node upscale.js CHECKPOINT INPUT OUTPUT
import { readFile, writeFile } from 'node:fs/promises';
import { decodePicture, encodePng } from '@fourfold/imaging';
import { createUpscaler, selectBackend } from '@fourfold/model';
import { openCheckpoint, readGenerator } from '@fourfold/store';

const [url, input, output] = process.argv.slice(2);
const checkpoint = await openCheckpoint(url, (name) => console.error(`${name} is damaged`));
await selectBackend({ backend: 'auto', device: 'auto', precision: 'f32', threads: 2 });
const upscaler = createUpscaler(await readGenerator(checkpoint), 'reflection');
const lr = await decodePicture(await readFile(input));
const sr = await upscaler.upscale(lr, 256);
await writeFile(output, await encodePng(sr));
console.log(`${sr.width}x${sr.height}`);
// The backend's threads would keep the process alive.
process.exit();
