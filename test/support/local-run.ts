import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openStore, type ObjectStore } from '@fourfold/store';
import { expect } from 'vitest';
import { expectFrozen, freezeAt, hasFields } from './freeze/freeze.js';
import { once } from './once.js';
import { fourfold, photographs, startFourfold, type LogEvent, type Process } from './process.js';
import { patientTiming } from './timing.js';

/** A run of `fourfold train` in a folder of its own. */
export interface LocalRun {
  configPath: string;
  /** The folder of its dataset. */
  dataset: string;
  /** The folder of its checkpoints and its log. */
  folder: string;
  store: ObjectStore;
}

export interface LocalRuns {
  /** A new run. */
  create(name: string): Promise<LocalRun>;
  /** A copy of a run with everything that it has written, which a test may damage. */
  copy(run: LocalRun, name: string): Promise<LocalRun>;
  remove(): Promise<void>;
}

/** Runs of a few short iterations: an `mse` phase, then a `gan` phase, a checkpoint every two iterations. */
export async function prepareLocalRuns(iterations: number): Promise<LocalRuns> {
  const folder = await mkdtemp(join(tmpdir(), 'fourfold-local-'));
  const dataset = await once('local-dataset', async (shared) => {
    const out = join(shared, 'dataset');
    const images = join(photographs, 'train');
    const prepared = await fourfold(['prepare', '--images', images, '--out', out, '--sample', '4', '--seed', '1']);
    if (prepared.code !== 0) throw new Error(prepared.stderr);
    return out;
  });

  const describe = async (name: string, own: string): Promise<LocalRun> => {
    const configPath = join(folder, `${name}.yaml`);
    const store = join(folder, 'stores', name);
    await writeFile(configPath, config(own, store, iterations));
    const run = openStore(store).at('runs/local');
    return { configPath, dataset: own, folder: join(store, 'runs', 'local'), store: run };
  };
  return {
    create: (name) => describe(name, dataset),
    async copy(run, name) {
      const own = join(folder, 'datasets', name);
      const copied = await describe(name, own);
      await cp(run.dataset, own, { recursive: true });
      await cp(run.folder, copied.folder, { recursive: true });
      return copied;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const config = (dataset: string, store: string, iterations: number): string => `
name: local
seed: 7
dataset: ${dataset}
store: ${store}
generator: { channels: 4, blocks: 1 }
discriminator: { channels: 4, dense: 16 }
data: { globalBatch: 2, replicas: 2, crop: 16, cropsPerPicture: 50 }
loss: { content: mse }
phases:
  - { kind: mse, iterations: 2, learningRate: 1.0e-3 }
  - { kind: gan, iterations: ${iterations - 2}, learningRate: 1.0e-4 }
checkpoints: { every: 2 }
workers: { backend: wasm, threads: 1 }
timing: ${JSON.stringify(patientTiming)}
`;

export const startTrain = (run: LocalRun, ...args: string[]): Process =>
  startFourfold(['train', run.configPath, ...args]);

/** Train with parts that freeze themselves at these events, each once. */
export const startFreezing = (run: LocalRun, events: readonly LogEvent[], ...args: string[]): Process =>
  startFourfold(['train', run.configPath, ...args], [], freezeAt(dirname(run.configPath), ...events));

/** Wait until a part of a run has logged an event and is frozen; returns its process id. */
export async function frozenIn(run: LocalRun, event: LogEvent): Promise<number> {
  const pid = Number((await logged(run, hasFields(event)))['pid']);
  await expectFrozen(pid);
  return pid;
}

/** What the parts of a run have logged so far, but for as many lines at the beginning. */
export async function logOf(run: LocalRun, skipped = 0): Promise<LogEvent[]> {
  const text = await readFile(join(run.folder, 'train.log'), 'utf8').catch(() => '');
  // The last line may be incomplete.
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  const events = lines.filter((line) => line.startsWith('{')).slice(skipped);
  return events.map((line) => JSON.parse(line) as LogEvent);
}

/** Wait until a part of a run logs an event. */
async function logged(run: LocalRun, condition: (event: LogEvent) => boolean): Promise<LogEvent> {
  let read = 0;
  let found: LogEvent | undefined;
  const look = async () => {
    const events = await logOf(run, read);
    read += events.length;
    return (found ??= events.find(condition));
  };
  await expect.poll(look, { interval: 50 }).toBeDefined();
  return found as LogEvent;
}

/** What a resumed run says of its config before it starts. */
const isOfConfig = (line: string) => /^(changed as asked|the run keeps|to change a key| {2}\S)/.test(line);
const isProgress = (line: string) => / (it\/s|s\/it)/.test(line) || /^(coordinator|worker): /.test(line);

/** Expect the process to end with this code and to say why on one line, apart from its progress and notes on its config. */
export async function expectFailure(process: Process, code: number, reason: RegExp): Promise<void> {
  const exit = await process.exit;
  const lines = process.errors.filter((line) => !isProgress(line) && !isOfConfig(line));
  expect(lines, JSON.stringify(exit)).toEqual([expect.stringMatching(reason)]);
  expect(lines[0]).toMatch(/^fourfold: /);
  expect(exit).toEqual({ code, signal: null });
}
