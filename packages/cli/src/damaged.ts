import { describeError } from '@fourfold/common';

/** Say on stderr that a damaged checkpoint is passed over. */
export const sayDamaged = (name: string, error: unknown): void =>
  console.error(`fourfold: passing over checkpoint ${name}: ${describeError(error)}`);
