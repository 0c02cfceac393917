import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireProgram } from '@fourfold/local-servers';
import { parseAllDocuments } from 'yaml';
import type { Tree } from './conditional-yaml.js';

/** An object of Kubernetes. */
export interface Manifest extends Tree {
  apiVersion: string;
  kind: string;
  metadata: Tree & { name: string };
}

const manifests = fileURLToPath(new URL('../../k8s/', import.meta.url));

/** The objects that Kustomize makes of a folder in deploy/k8s with some of its components. Throws `not-found` without Kustomize. */
export function kustomized(path: string, components: readonly string[] = []): Manifest[] {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fourfold-charts-')));
  try {
    const from = (name: string) => relative(folder, join(manifests, name));
    const kustomization = { resources: [from(path)], components: components.map((name) => from(`components/${name}`)) };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    const text = execFileSync(requireProgram('kustomize'), ['build', folder], { encoding: 'utf8' });
    return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What tells objects of one namespace apart. */
export const idOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;

/** A copy of an object with a value at a path, or without anything there. */
export function changed(object: Manifest, path: readonly (string | number)[], value: unknown): Manifest {
  const copy = structuredClone(object);
  let at: Record<string | number, unknown> = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  at[path.at(-1) as string | number] = value;
  return copy;
}
