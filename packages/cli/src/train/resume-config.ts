import { configSource, resumedConfig, type ConfigDifference, type RunConfig, type Setting } from '@fourfold/common';
import { readStoredConfig, runStore } from '@fourfold/store';
import { formatTable } from '../terminal/table.js';

export interface GivenConfig {
  /** The file's name, for messages. */
  path: string;
  config: RunConfig;
  settings: readonly Setting[];
}

/**
 * The config that a run is resumed with: its own, changed by the settings. `say` gets the lines that tell the user what differs
 * from the given file. A run without checkpoints begins with the given config. Throws as `resumedConfig` and `readStoredConfig` do.
 */
export async function configToResume(
  { path, config: given, settings }: GivenConfig,
  say: (text: string) => void,
): Promise<RunConfig> {
  const run = runStore(given);
  const stored = await readStoredConfig(run);
  if (!stored) {
    say(`run ${given.name} has no readable checkpoint at ${run.url}: it starts from the beginning`);
    return given;
  }
  const { config, kept, changed } = await resumedConfig(given, stored, settings);
  for (const line of describeResumption(configSource(path), { kept, changed })) say(line);
  return config;
}

/** What a resumed run keeps and changes, as lines for the user. */
function describeResumption(
  path: string,
  { kept, changed }: { kept: readonly ConfigDifference[]; changed: readonly ConfigDifference[] },
): string[] {
  const keptRows = kept.map(({ key, before, after }) => [`  ${key}`, shown(after), `${path}: ${shown(before)}`]);
  const changedRows = changed.map(({ key, before, after }) => [`  ${key}`, shown(after), `before: ${shown(before)}`]);
  const example = kept.find(({ before }) => typeof before !== 'object') ?? kept[0];
  return [
    ...(changed.length > 0 ? ['changed as asked:', table(changedRows)] : []),
    ...(kept.length > 0
      ? [
          `the run keeps the config that it was started with, where ${path} differs:`,
          table(keptRows),
          `to change a key, name it: --set ${example.key}=${JSON.stringify(example.before) ?? 'null'}`,
        ]
      : []),
  ];
}

const table = (rows: string[][]): string => formatTable(rows, ['left', 'left', 'left']);

const shown = (value: unknown): string => {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
};
