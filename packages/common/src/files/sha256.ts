import { createHash } from 'node:crypto';

/** Lower-case hexadecimal SHA-256. */
export function sha256(body: Uint8Array | string): string {
  return createHash('sha256').update(body).digest('hex');
}
