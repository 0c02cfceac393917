import { FourfoldError } from '../errors/errors.js';
import { configDifferences, type ConfigDifference } from './differences.js';
import { parseRunConfig } from './load.js';
import type { RunConfig } from './schema.js';
import { applySetting, keyOf, type Setting } from './settings.js';
import type { Tree } from './tree.js';

/** The config that a run is resumed with. */
export interface ResumedConfig {
  config: RunConfig;
  /** Where the run's own value (`after`) counts, although the given config has another (`before`). */
  kept: ConfigDifference[];
  /** What settings change in the run. */
  changed: ConfigDifference[];
}

/**
 * A resumed run has the config that it was started with; only `settings` (`key.path=value`) change it. `given` is the config that
 * the user named, with the same settings: it says where the run is, and gives the schedule if a setting scales or replaces it.
 * Throws `invalid` as `parseRunConfig` does, and for another run to start from: this one has begun.
 */
export async function resumedConfig(
  given: RunConfig,
  stored: RunConfig,
  settings: readonly Setting[],
): Promise<ResumedConfig> {
  const { parse } = await import('yaml');
  const tree = JSON.parse(JSON.stringify(stored)) as Tree;
  for (const setting of settings) {
    const key = keyOf(setting);
    if (key === 'startFrom' || key === 'discriminatorFrom') checkStart(key, given, stored);
    else if (givesSchedule(key)) tree['phases'] = given.phases;
    // Its keys are in the stored config, and those that differ are listed.
    else if (key !== 'recipe') applySetting(tree, setting, parse);
  }
  const config = parseRunConfig({ ...tree, name: given.name, store: given.store }, `run ${given.name}`, settings);
  return {
    config,
    kept: configDifferences(given, config),
    changed: configDifferences({ ...stored, store: given.store }, config),
  };
}

/** The stored phases are scaled, so that these keys replace all of them. `phases.N` is one of the run's own phases. */
const givesSchedule = (key: string): boolean => key === 'scheduleScale' || key === 'phases';

function checkStart(key: 'startFrom' | 'discriminatorFrom', given: RunConfig, stored: RunConfig): void {
  if (given[key] === stored[key]) return;
  const from = stored[key] ?? 'new weights';
  throw new FourfoldError('invalid', `${key} is ${given[key] ?? 'none'}, but run ${given.name} began with ${from}`, {
    hint: 'omit it to resume the run, or choose another name',
  });
}
