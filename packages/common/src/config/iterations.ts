import type { PhaseConfig } from './schema.js';

/** Total iterations of all phases. */
export const totalIterations = ({ phases }: { phases: readonly PhaseConfig[] }): number =>
  phases.reduce((sum, { iterations }) => sum + iterations, 0);
