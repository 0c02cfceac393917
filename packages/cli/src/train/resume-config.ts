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
  columns = process.stderr.columns || 100,
): Promise<RunConfig> {
  const run = runStore(given);
  const stored = await readStoredConfig(run);
  if (!stored) {
    say(`run ${given.name} has no readable checkpoint at ${run.url}: it starts from the beginning`);
    return given;
  }
  const { config, kept, changed } = await resumedConfig(given, stored, settings);
  for (const line of describeResumption(configSource(path), { kept, changed }, columns)) say(line);
  return config;
}

/** What a resumed run keeps and changes, as lines for the user. */
function describeResumption(
  path: string,
  { kept, changed }: { kept: readonly ConfigDifference[]; changed: readonly ConfigDifference[] },
  columns: number,
): string[] {
  const example = kept.find(({ before }) => typeof before !== 'object') ?? kept[0];
  return [
    ...(changed.length > 0 ? ['changed as asked:', table(changed, 'before', columns)] : []),
    ...(kept.length > 0
      ? [
          `the run keeps the config that it was started with, where ${path} differs:`,
          table(kept, 'file', columns),
          `to change a key, name it: --set ${example.key}=${JSON.stringify(example.before) ?? 'null'}`,
        ]
      : []),
  ];
}

/** Keys and their two values, cut so that a row fits in `columns`; `origin` says where the second one comes from. */
function table(differences: readonly ConfigDifference[], origin: string, columns: number): string {
  const widestKey = Math.max(...differences.map(({ key }) => key.length));
  const room = Math.max(narrowestValue, Math.floor((columns - `  ${'.'.repeat(widestKey)}    ${origin}: `.length) / 2));
  const cut = (value: unknown) => {
    const text = shown(value);
    return text.length > room ? `${text.slice(0, room - 1)}…` : text;
  };
  const rows = differences.map(({ key, before, after }) => [`  ${key}`, cut(after), `${origin}: ${cut(before)}`]);
  return formatTable(rows, ['left', 'left', 'left']);
}

const narrowestValue = 8;

const shown = (value: unknown): string => {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
};
