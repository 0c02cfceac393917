import type { WorkerKind__Output } from '@fourfold/rpc';
import { z } from '@fourfold/common/zod';

/*
 * A worker's kind is exactly what decides the bits of its results. Kinds are compared field by field: a field that one
 * side lacks, such as a checkpoint of a release that did not have it, matches any value.
 */

const kindSchema = z
  .object({
    backend: z.string(),
    version: z.string(),
    device: z.string(),
    instructionSet: z.string(),
    threads: z.number(),
    precision: z.string(),
    decoder: z.string(),
    featureWeights: z.string(),
  } satisfies Record<keyof WorkerKind__Output, unknown>)
  .partial();
export type WorkerKind = z.infer<typeof kindSchema>;

const fields = kindSchema.keyof().options;

/** The kind in a checkpoint's manifest; without fields if it records none. */
export function parseKind(text: string): WorkerKind {
  try {
    return kindSchema.parse(JSON.parse(text));
  } catch {
    return {};
  }
}

/** The fields in which two kinds differ. */
export const kindDifferences = (a: WorkerKind, b: WorkerKind): (keyof WorkerKind)[] =>
  fields.filter((field) => a[field] && b[field] && a[field] !== b[field]);

/** A run's kind after a worker has joined: fields that the run did not have come from the worker. */
export const completedKind = (run: WorkerKind, worker: WorkerKind): WorkerKind => ({ ...known(worker), ...known(run) });

const known = (kind: WorkerKind): WorkerKind =>
  kindSchema.parse(Object.fromEntries(Object.entries(kind).filter(([, value]) => value)));
