import { openCheckpoint, type Checkpoint } from '@fourfold/store';
import { sayDamaged } from '../damaged.js';
import type { Subject } from '../evaluation/evaluate-sets.js';
import { blendedGenerator } from '../exporting/blend-generators.js';
import { createUpscaler } from '../upscaling/generator.js';
import { generatorPlace } from '../upscaling/generator-place.js';
import { defaultTile } from '../upscaling/tiles.js';

/** A generator between two, and the second's share. */
export interface BlendSubject {
  subject: Subject;
  alpha: number;
}

/** The two generators and `steps` blends between them, at equal distances. The backend must have been started. */
export async function blendPath(from: string, to: string, steps: number): Promise<BlendSubject[]> {
  const open = (given: string): Promise<Checkpoint> => openCheckpoint(generatorPlace(given), sayDamaged);
  const [first, second] = [await open(from), await open(to)];
  const path: BlendSubject[] = [];
  for (let i = 0; i <= steps + 1; i++) {
    const alpha = Number((i / (steps + 1)).toFixed(3));
    const upscaler = createUpscaler(await blendedGenerator({ first, second, alpha }), 'zeros');
    const name = alpha === 0 ? from : alpha === 1 ? to : `${alpha} of ${to}, the rest of ${from}`;
    path.push({ alpha, subject: { name, facts: { alpha }, upscale: (lr) => upscaler.upscale(lr, defaultTile) } });
  }
  return path;
}
