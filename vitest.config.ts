import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const common = {
  pool: 'forks' as const,
  // Long enough for a machine that is several times slower. A test that passes does not wait for them. No retry, also not after a timeout: in
  // this product a hang is a bug (test/planted-hang.test.ts).
  testTimeout: 600_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 120_000 } },
  // Node.js imports built packages itself: transforming and running each of their files in every test file takes Vitest longer.
  server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
};

/** What a test may leave to the next one in its process, although test/support/restore.ts runs between them. */
const leaves = /\bvi\.mock|\bprocess\.(env|on|chdir)\b/;

/** What else of a test may outlive it: backends, threads, servers. */
const starts =
  /\b(create(Server|Master|Updater|Upscaler)|(select|start)Backend|start(Http)?Server|runCoordinator|Worker)\(/;

/** Hooks of a module that tests share: it is loaded once a process, and so only the first of them gets its hooks. */
const hooks = /^(before|after)(Each|All)\(/m;

const textOf = (path: string): string => readFileSync(join(import.meta.dirname, path), 'utf8');

/** The modules beside a test that it shares with others. */
const sharedBy = (path: string): string[] =>
  [...textOf(path).matchAll(/ from '([.][^']*\/test-[^']*)[.]js'/g)].map(([, name]) =>
    join(dirname(path), `${name}.ts`),
  );

/** The unit tests of packages, but for those whose text matches and those that get hooks from elsewhere. */
const unitTests = (packages: string[], except: RegExp): string[] =>
  packages.flatMap((name) =>
    readdirSync(join(import.meta.dirname, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts'))
      .map((path) => `packages/${name}/src/${path}`)
      .filter((path) => !except.test(textOf(path)) && !sharedBy(path).some((shared) => hooks.test(textOf(shared)))),
  );

/**
 * Unit tests that run after each other in one process, which imports packages once: that takes longer than most files' tests. Those with
 * backends have processes of their own, and so has each that leaves something; in packages with many threads and servers also each that starts some.
 */
const together = [
  ...unitTests(['common', 'weights', 'store', 'rpc', 'imaging', 'data-loader'], leaves),
  ...unitTests(['coordinator', 'worker', 'cli'], new RegExp(`${leaves.source}|${starts.source}`)),
];

/** Files of test/ that take longer than half a minute, and a unit test that does, the longest first. */
const longest =
  'kubernetes kubernetes-nodes installed chaos gpu-bundle chain exchange bad-workers exactness packages/model/src/webgpu webgpu memory documented-commands ' +
  'local-cluster wire-formats failures variants batch-service strangers scripts minio-run status-page best-checkpoint cluster-page ' +
  'kubernetes-processes validation train exported-models backend-refusals start-from batches-over-nats upscale-browser metrics parity ' +
  'nats-access startup demo checkpoints-beside security soak';
const ranks = longest.split(' ').map((name) => `${name.includes('/') ? name : `test/${name}`}.test.ts`);

/**
 * The longest files begin first and the unit tests come last, so that no core is idle at the end. Process tests mostly wait, so some
 * run beside each other.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification) => {
      const place = ranks.indexOf(relative(import.meta.dirname, moduleId));
      if (place >= 0) return place;
      return project.name === 'processes' ? ranks.length : ranks.length + 1;
    };
    // Stable: vitest's own order otherwise.
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

/** One more than cores: most tests of processes wait for most of their time. */
const maxWorkers = Math.min(availableParallelism() + 1, 8);

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...common,
          name: 'unit',
          include: together,
          setupFiles: 'test/support/restore.ts',
          isolate: false,
          maxWorkers,
        },
      },
      {
        test: {
          ...common,
          name: 'unit-alone',
          include: ['packages/*/src/**/*.test.ts', 'deploy/*/src/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...together],
          maxWorkers,
        },
      },
      {
        test: {
          ...common,
          name: 'processes',
          include: ['test/**/*.test.ts'],
          globalSetup: 'test/support/shared-folder.ts',
          maxWorkers,
        },
      },
    ],
  },
});
