import { randomBytes, timingSafeEqual } from 'node:crypto';
import { secretBytes } from './frame.js';

/** A secret that cannot be guessed, for the requests of one peer. */
export const randomStreamSecret = (): Uint8Array => new Uint8Array(randomBytes(secretBytes));

/** Whether a request shows this secret, in a time that reveals nothing about it. */
export const isSecret = (shown: Uint8Array, secret: Uint8Array): boolean =>
  shown.byteLength === secret.byteLength && timingSafeEqual(shown, secret);
