import { defineConfig } from 'vitest/config';

const common = {
  pool: 'forks' as const,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // A machine may be busier than a wait allows for: once more, which the report says. What is wrong in any other way fails at once.
  retry: { count: 1, condition: /timed out|Timeout \d+ms exceeded/ },
};

/** Tests of what happens in time, or that look at all of the machine: nothing runs beside them. */
const alone = ['batch-service', 'chaos', 'exchange', 'memory', 'soak', 'zombies'].map((name) => `test/${name}.test.ts`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'deploy/*/src/**/*.test.ts'],
          // vitest leaves one core alone: of two, half of the machine.
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
          // Each starts several processes and waits for them most of the time.
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
