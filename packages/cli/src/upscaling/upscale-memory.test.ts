import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openStore } from '@fourfold/store';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { heldOutPhotographs, inFolder, writeSmallCheckpoint } from '../test-support.js';

const command = fileURLToPath(new URL('../../bin/fourfold.js', import.meta.url));
const width = 901;
const height = 603;

/**
 * Peak resident memory of an upscaling in a process of its own, in bytes; it prints the kilobytes that Node.js reports at its
 * exit.
 */
async function peakBytes(folder: string): Promise<number> {
  const tell = `process.on('exit', () => console.error('peak ' + process.resourceUsage().maxRSS))`;
  const { stderr } = await promisify(execFile)(
    process.execPath,
    [
      ...['--import', `data:text/javascript,${encodeURIComponent(tell)}`, command, 'upscale', 'large.jpg', 'up.png'],
      ...['--checkpoint', 'runs/small', '--backend', 'wasm'],
    ],
    { cwd: folder },
  );
  return 1024 * Number(/^peak (\d+)$/m.exec(stderr)?.[1]);
}

test('memory is for a band of tiles, not for the picture: a 44th of 6000x4000 takes less than 0.6 GB', async () => {
  await inFolder(async (folder) => {
    await writeSmallCheckpoint(openStore(folder).at('runs/small'), 4, { channels: 8, blocks: 1 });
    await sharp(join(heldOutPhotographs, 'raccoon.jpg'))
      .resize(width, height, { fit: 'fill' })
      .toFile(join(folder, 'large.jpg'));
    const tiled = await peakBytes(folder);
    const { width: wide, height: high } = await sharp(join(folder, 'up.png')).metadata();
    expect([wide, high]).toEqual([4 * width, 4 * height]);
    // 0.34 GB when this was written; in one tile 2.98 GB.
    expect(tiled).toBeGreaterThan(100e6);
    expect(tiled).toBeLessThan(600e6);
  });
});
