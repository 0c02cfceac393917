import { fileURLToPath } from 'node:url';
import config from '../../../vitest.config.ts';

/*
 * The repository's own projects, with the planted hang as their only test and a shorter wait for it.
 */

const include = [fileURLToPath(new URL('hang-in-a-lease.ts', import.meta.url))];

export default {
  test: {
    projects: config.test.projects.map(({ test }) => ({
      test: { ...test, include, exclude: [], testTimeout: 3_000 },
    })),
  },
};
