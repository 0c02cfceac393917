import type { LpipsChoice } from '@fourfold/common';
import type { BackendChoice } from '../commands/arguments.js';
import type { BaselineName } from '../evaluation-table.js';
import type { ModelName } from '../upscaling/models.js';

/** What `plane` is given. */
export interface PlaneArguments {
  images: string;
  out: string;
  method: BaselineName[];
  model: ModelName[];
  checkpoint: string[];
  blend?: string[];
  steps: number;
  lpips: LpipsChoice;
  lpipsWeights?: string;
  backend: BackendChoice;
  csv?: true;
  json?: true;
  force: boolean;
}
