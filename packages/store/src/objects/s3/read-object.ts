import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { FourfoldError } from '@fourfold/common';
import { isPassing } from './failures.js';
import type { S3Place } from './place.js';

/** Tries of a body that breaks off again and again without a byte. */
const maxBreaksInARow = 8;
const breakPauseMs = 250;

/** An object's bytes from `begin` on; a body that breaks off is resumed, unless the object has been replaced (`conflict`). */
export async function* readObject(
  { attempt, bucket, pathOf, nameOf }: S3Place,
  key: string,
  begin: number,
): AsyncGenerator<Uint8Array> {
  const path = pathOf(key);
  let at = begin;
  let etag: string | undefined;
  for (let breaks = 0; ;) {
    const from = at;
    const body = (await attempt(nameOf(key), (client) =>
      client.getPartialObject(bucket, path, from),
    )) as IncomingMessage;
    if (etag !== undefined && body.headers.etag !== etag) {
      body.destroy();
      throw new FourfoldError('conflict', `${nameOf(key)} was replaced while it was read`);
    }
    etag = body.headers.etag;
    const end = from + Number(body.headers['content-length']);
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        at += chunk.byteLength;
        yield chunk;
      }
    } catch (error) {
      breaks = at > from ? 0 : breaks + 1;
      if (!isPassing(error) || breaks > maxBreaksInARow) {
        throw new FourfoldError('unavailable', `${nameOf(key)} broke off at byte ${at}`, { cause: error });
      }
      await delay(breakPauseMs);
    }
    if (at === end) return;
  }
}
