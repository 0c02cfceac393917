import { FourfoldError } from '../errors/errors.js';
import { isTree, type Tree } from './tree.js';

/** A key that a command sets: `key.path=value` of --set, or an option that stands for one, as `--workers is 2`. */
export type Setting = string | { option: string; sets: string };

/** The setting as --set takes it. */
export const settingText = (setting: Setting): string => (typeof setting === 'string' ? setting : setting.sets);

/** The setting as the user gave it. */
export const asGiven = (setting: Setting): string =>
  typeof setting === 'string' ? `--set ${setting}` : setting.option;

/** The key's path. */
export const keyOf = (setting: Setting): string => settingText(setting).split('=')[0];

/** Set a key of a config that is not yet checked; `parse` reads the value, in YAML, and null removes the key. */
export function applySetting(tree: Tree, setting: Setting, parse: (yaml: string) => unknown): void {
  const [, path, value] = /^([^=]+)=(.*)$/s.exec(settingText(setting)) ?? [];
  if (!path) {
    throw new FourfoldError('invalid', `${asGiven(setting)}: it must look like key=value, such as data.replicas=2`);
  }
  const keys = path.split('.');
  const leaf = keys.pop() as string;
  let node: Tree = tree;
  for (const key of keys) {
    const next = Object.hasOwn(node, key) ? node[key] : undefined;
    node = (isTree(next) || Array.isArray(next) ? next : (node[key] = {})) as Tree;
  }
  const parsed = parseValue(setting, value, parse);
  if (parsed === null && isTree(node)) delete node[leaf];
  else node[leaf] = parsed;
}

function parseValue(setting: Setting, value: string, parse: (yaml: string) => unknown): unknown {
  try {
    return parse(value);
  } catch (cause) {
    const [reason] = (cause as Error).message.split('\n');
    throw new FourfoldError('invalid', `${asGiven(setting)}: its value is not YAML: ${reason.replace(/:$/, '')}`);
  }
}

/** The last setting of a key, or of one inside it or around it: what a problem there is blamed on. */
export function blamed(key: string, settings: readonly Setting[]): Setting | undefined {
  const isIn = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}.`);
  return settings.findLast((setting) => isIn(key, keyOf(setting)) || isIn(keyOf(setting), key));
}
