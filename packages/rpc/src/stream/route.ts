import { z } from '@fourfold/common/zod';
import { FourfoldError, parseAddress } from '@fourfold/common';
import { secretBytes } from './frame.js';
import { lostWorker } from './receiver.js';

/*
 * The route of a sum, as it crosses in a request: JSON, the first hop first. The last hop is the worker that is asked; it asks the one
 * before with the rest of the route.
 */

/** A worker that a sum passes, and what it adds there. */
export interface SumHop {
  /** The worker's number at the coordinator. */
  worker: number;
  /** host:port of its bulk stream, and the secret that it wants to see. */
  address: string;
  secret: Uint8Array;
  /** Numbers of the tokens of its gradients, in the order in which it adds them. */
  tokens: readonly number[];
}

const naturalNumber = z.int().min(0);
const hop = z.object({
  worker: naturalNumber,
  address: z.string().refine((value) => (parseAddress(value)?.port ?? 0) > 0),
  secret: z
    .base64()
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
    .refine(({ byteLength }) => byteLength === secretBytes),
  tokens: z.array(naturalNumber).min(1),
});
const route = z.array(hop).min(1);

export const encodeRoute = (hops: readonly SumHop[]): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify(hops.map((hop) => ({ ...hop, secret: Buffer.from(hop.secret).toString('base64') }))),
  );

/** Read a route; undefined if the bytes are not one. */
export function decodeRoute(bytes: Uint8Array): SumHop[] | undefined {
  try {
    return route.safeParse(JSON.parse(new TextDecoder().decode(bytes))).data;
  } catch {
    return undefined;
  }
}

/** How to ask the last hop for the sum of the route, from byte `begin` on. The sum is named by the last token in it. */
export function sumRequest(hops: readonly SumHop[], term: number, begin: number) {
  const last = hops[hops.length - 1];
  const { address, secret, tokens } = last;
  return {
    peer: { address, secret, role: 'worker' } as const,
    request: { kind: 'sum', term, number: tokens[tokens.length - 1], begin, route: encodeRoute(hops) } as const,
  };
}

/** The failure to receive a sum, with the number of the worker at fault: one that the last hop names, or the last hop itself. */
export function sumFailure(hops: readonly SumHop[], cause: unknown): FourfoldError & { lost: number } {
  const lost = lostWorker(cause) ?? hops[hops.length - 1].worker;
  const error = new FourfoldError('unavailable', `worker ${lost} does not send its part of the sum`, { cause });
  return Object.assign(error, { lost });
}
