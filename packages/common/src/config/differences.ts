import { isTree } from './tree.js';

/** A key whose value differs between two configs; undefined where one has none. */
export interface ConfigDifference {
  /** The path, such as `phases.0.iterations`. */
  key: string;
  before: unknown;
  after: unknown;
}

/** What differs between two configs, key by key. A key that is undefined counts as missing. */
export function configDifferences(before: unknown, after: unknown, key = ''): ConfigDifference[] {
  const [a, b] = [childrenOf(before), childrenOf(after)];
  if (!a || !b) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ key, before, after }];
  }
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((name) =>
    configDifferences(a[name], b[name], key === '' ? name : `${key}.${name}`),
  );
}

const childrenOf = (node: unknown): Record<string, unknown> | undefined =>
  isTree(node) || Array.isArray(node) ? (node as Record<string, unknown>) : undefined;
