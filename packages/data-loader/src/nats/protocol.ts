import { z } from '@fourfold/common/zod';
import { type DataConfig, sha256 } from '@fourfold/common';
import { datasetDigest, type DatasetManifest } from '../prepare/manifest.js';

/*
 * Messages between data-loaders and workers over NATS. A data-loader announces itself on `loaders`; a worker asks it on the
 * data-loader's own subject, and gets a batch (batch-message.ts) or a refusal.
 */

/** Grows with every change that an older program would not understand. */
export const batchProtocolVersion = 3;

export interface BatchSubjects {
  /** Where this run's data-loaders announce themselves. */
  loaders: string;
  /** The same for data-loaders of any dataset, seed and data config of this run's name. */
  anyLoaders: string;
  /** Where one data-loader is asked. */
  batchesOf(loader: string): string;
}

/** Subjects with the digest of everything that decides the batches, so that a data-loader of other batches is never asked. */
export function batchSubjects(run: string, digest: string): BatchSubjects {
  const prefix = `fourfold.${run}.${digest.slice(0, 12)}`;
  return {
    loaders: `${prefix}.loaders`,
    anyLoaders: `fourfold.${run}.*.loaders`,
    batchesOf: (loader) => `${prefix}.loader.${loader}.batch`,
  };
}

/** SHA-256 of everything that decides the batch of (iteration, replica), and nothing else; `decoder` is a `decoderVersion`. */
export function batchesDigest(manifest: DatasetManifest, data: DataConfig, seed: number, decoder: string): string {
  // How a machine caches shards does not matter to the batches.
  const decisive = Object.entries(data).filter(([key]) => key !== 'cacheFolder' && key !== 'cacheBytes');
  return sha256(JSON.stringify([datasetDigest(manifest), seed, decoder, decisive.sort()]));
}

const announcementSchema = z.object({
  version: z.int().min(1),
  id: z.string().regex(/^[a-z0-9]{1,32}$/),
  /** It accepts no more requests. */
  draining: z.boolean(),
  /** Its host's `machineId`. */
  machine: z.string().regex(/^[0-9a-f]{32}$/),
});
export type Announcement = z.infer<typeof announcementSchema>;

const requestSchema = z.object({ iteration: z.int().min(0), replica: z.int().min(0) });
/** Which batch. */
export type BatchPlace = z.infer<typeof requestSchema>;

export const encodeMessage = (message: Announcement | BatchPlace): string => JSON.stringify(message);

/** An announcement, or undefined for other bytes. */
export const parseAnnouncement = (bytes: Uint8Array): Announcement | undefined => parse(announcementSchema, bytes);

/** A request for a batch, or undefined for other bytes. */
export const parseRequest = (bytes: Uint8Array): BatchPlace | undefined => parse(requestSchema, bytes);

const largestMessageBytes = 4096;

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array): T | undefined {
  if (bytes.length > largestMessageBytes) return undefined;
  try {
    return schema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
