import { availableParallelism } from 'node:os';
import { selectBackend, type BackendInfo } from '@fourfold/model';
import type { BackendChoice } from '../commands/arguments.js';

export { createUpscaler, type Upscaler } from '@fourfold/model';

/** Start a backend in this thread, with all of the machine's cores. Throws `invalid` if it is not available. */
export const startBackend = (choice: BackendChoice): Promise<BackendInfo> =>
  selectBackend({ backend: choice, device: 'auto', precision: 'f32', threads: availableParallelism() });
