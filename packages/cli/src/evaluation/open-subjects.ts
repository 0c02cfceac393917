import { openCheckpoint, readGenerator, type Checkpoint } from '@fourfold/store';
import { modelFolder } from '../assets.js';
import type { BackendChoice } from '../commands/arguments.js';
import { sayDamaged } from '../damaged.js';
import { upscaleBaseline, type BaselineName } from '../evaluation-table.js';
import type { ModelName } from '../upscaling/models.js';
import { defaultTile } from '../upscaling/tiles.js';
import type { Subject } from './evaluate-sets.js';
import { variantOf } from './variant.js';

/** What is measured: baselines, generators that come with fourfold, and checkpoints by their places. */
export interface ChosenSubjects {
  methods: readonly BaselineName[];
  models: readonly ModelName[];
  checkpoints: readonly string[];
}

/** The subjects, in the order of `ChosenSubjects`. The backend is started only for generators. */
export async function openSubjects(
  { methods, models, checkpoints: urls }: ChosenSubjects,
  choice: BackendChoice,
): Promise<Subject[]> {
  const subjects = methods.map((name): Subject => ({
    name,
    facts: { method: name },
    upscale: (lr) => upscaleBaseline(name, lr),
  }));
  if (models.length + urls.length === 0) return subjects;
  const checkpoints: Checkpoint[] = [];
  for (const url of [...models.map(modelFolder), ...urls]) checkpoints.push(await openCheckpoint(url, sayDamaged));
  const { createUpscaler, startBackend } = await import('../upscaling/generator.js');
  const { backend } = await startBackend(choice);
  for (const [i, checkpoint] of checkpoints.entries()) {
    const generator = createUpscaler(await readGenerator(checkpoint), 'zeros');
    const { iteration, config, blend } = checkpoint.manifest;
    const model = models.at(i);
    subjects.push({
      name: model ?? distinctName(checkpoint, checkpoints.slice(models.length)),
      // A blend lies between variants.
      variant: blend ? undefined : variantOf(config, iteration),
      facts: { ...(model && { model }), checkpoint: checkpoint.store.url, iteration, backend },
      upscale: (lr) => generator.upscale(lr, defaultTile),
    });
  }
  return subjects;
}

/** A checkpoint's run and iteration, and its URL if another has the same. */
function distinctName(checkpoint: Checkpoint, all: readonly Checkpoint[]): string {
  const nameOf = ({ manifest: { run, iteration } }: Checkpoint) => `${run} at ${iteration}`;
  const name = nameOf(checkpoint);
  const isShared = all.filter((other) => nameOf(other) === name).length > 1;
  return isShared ? `${name}, ${checkpoint.store.url}` : name;
}
