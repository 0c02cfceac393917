import type { WorkerKind__Output } from '@fourfold/common';
import { z } from 'zod';

/*
 * A worker's kind is what decides the bits of its results, and nothing else. Kinds are compared field by field: one that a side lacks, such
 * as a checkpoint of a release that did not know of it, matches whatever the other side has.
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
  } satisfies Record<keyof WorkerKind__Output, unknown>)
  .partial();
export type WorkerKind = z.infer<typeof kindSchema>;

const fields = kindSchema.keyof().options;

/** The kind that a checkpoint's manifest tells; one without fields where it tells none. */
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

/** A run's kind once a worker of that kind has joined: what the run did not know yet is the worker's. */
export const completedKind = (run: WorkerKind, worker: WorkerKind): WorkerKind => ({ ...known(worker), ...known(run) });

const known = (kind: WorkerKind): WorkerKind =>
  kindSchema.parse(Object.fromEntries(Object.entries(kind).filter(([, value]) => value)));
