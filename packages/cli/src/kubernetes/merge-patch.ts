import { isTree, type Tree } from '@fourfold/common';

/**
 * `patch` over `base` as Kustomize and the API server merge, for what our patches use: maps are merged key by key, lists of named
 * things (containers, variables, volumes, mounts by their path) thing by thing, and everything else is replaced.
 */
export function mergePatch(base: unknown, patch: unknown): unknown {
  if (isTree(base) && isTree(patch)) {
    const merged: Tree = { ...base };
    for (const [key, value] of Object.entries(patch)) merged[key] = mergePatch(base[key], value);
    return merged;
  }
  if (isList(base) && isList(patch)) {
    const key = ['mountPath', 'name'].find((name) => [...base, ...patch].every((item) => isTree(item) && name in item));
    return key ? mergeNamed(base as Tree[], patch as Tree[], key) : patch;
  }
  return patch;
}

/** Kustomize puts a patch's additions first. */
function mergeNamed(base: readonly Tree[], patch: readonly Tree[], key: string): unknown[] {
  const patchOf = (item: Tree) => patch.find((other) => other[key] === item[key]);
  const added = patch.filter((item) => !base.some((other) => other[key] === item[key]));
  return [...added, ...base.map((item) => mergePatch(item, patchOf(item) ?? {}))];
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value);
