import { defineConfig } from 'vitest/config';

const common = {
  pool: 'forks' as const,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // No retry, also not after a timeout: in this product a hang is a bug (test/planted-hang.test.ts).
};

/** Tests that depend on timing or observe the whole machine: nothing runs beside them. */
const alone = ['batch-service', 'chaos', 'exchange', 'memory', 'soak', 'zombies'].map((name) => `test/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'deploy/*/src/**/*.test.ts'],
          // By default vitest leaves one core free: of two, half of the machine.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'processes',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          // Each test starts several processes and mostly waits for them.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'alone',
          include: alone,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
