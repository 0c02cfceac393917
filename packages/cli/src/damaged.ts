import { describeError } from '@fourfold/common';

/** Report on stderr that a damaged checkpoint is skipped. */
export const sayDamaged = (name: string, error: unknown): void =>
  console.error(`fourfold: skipping checkpoint ${name}: ${describeError(error)}`);
