import {
  createGradientSum,
  decodeRoute,
  frameBytes,
  sumFailure,
  sumRequest,
  type GradientSum,
  type HopCounts,
  type StreamedPieces,
  type StreamReceiver,
  type StreamRequest,
  type SumHop,
  type Traffic,
} from '@fourfold/rpc';
import { copyBytes, describeError, FourfoldError, type Logger } from '@fourfold/common';
import type { NetworkWires } from '@fourfold/weights';
import type { GradientStore } from './gradient-store.js';

/*
 * This worker's part of a sum along a chain: it asks the hop before it for the sum so far, piece by piece, adds its own gradients in the
 * order of the route, and passes each piece on. It keeps nothing of a sum: a request holds the whole route.
 */

interface HopParts {
  gradients: Pick<GradientStore, 'held'>;
  /** How gradients and their sums cross, of each network. */
  wires: readonly Pick<NetworkWires, 'gradients' | 'sums'>[];
  receiver: StreamReceiver;
  /** Counts the bytes sent. */
  traffic: Traffic['gradients'];
  /** Counts what comes from the hop before. */
  counts: Pick<HopCounts, 'counted'>;
  log: Logger;
}

/** Answers requests for sums whose last hop is this worker: `absent` if it does not hold all its gradients, or the request has no route. */
export type SumHopSource = (request: StreamRequest) => StreamedPieces | 'absent';

export function createSumHop({ gradients, wires, receiver, traffic, counts, log }: HopParts): SumHopSource {
  /** Each is in use by one sum at a time. */
  const free: GradientSum[] = [];

  return ({ term, number, begin, silenceMs, route }) => {
    const hops = decodeRoute(route ?? new Uint8Array());
    const own = hops?.at(-1);
    if (!hops || !own) return 'absent';
    const held = () => own.tokens.map((number) => gradients.held({ term, number }));
    const found = held().filter((gradient) => gradient !== undefined);
    const layout = wires.find((network) => network.gradients === found[0]?.layout)?.sums;
    if (!layout || found.length < own.tokens.length || found.some((other) => other.layout !== found[0].layout))
      return 'absent';
    const { byteLength } = layout;
    if (begin >= byteLength || begin % frameBytes !== 0) return 'absent';
    const before = hops.slice(0, -1);
    let isWaiting = false;
    const pieces = async function* (signal: AbortSignal) {
      const sum = free.pop() ?? createGradientSum();
      const sums =
        before.length > 0
          ? sumsBefore({ receiver, counts }, before, { term, begin }, { byteLength, silenceMs, signal })
          : emptyPieces(begin, byteLength);
      try {
        isWaiting = before.length > 0;
        for await (const { begin: at, end, bytes } of sums) {
          isWaiting = false;
          if (held().some((gradient, i) => gradient !== found[i])) throw new Error('a gradient is no longer wanted');
          if (bytes) copyBytes(bytes, sum.bytes);
          // The coordinator then asks for the gradients alone, and names the one at fault.
          if (!sum.add(found, { layout, begin: at, end, isEmpty: !bytes }))
            throw new FourfoldError('invalid', `a gradient has NaN, infinity or too large a value after byte ${at}`);
          log.debug({ event: 'sum', number, begin: at, hop: before.length }, 'a piece of a sum');
          yield { begin: at, bytes: sum.bytes.subarray(0, end - at) };
          traffic.stream += end - at;
          isWaiting = before.length > 0;
        }
      } catch (error) {
        if (!signal.aborted) log.info({ event: 'sum-broken', number, reason: describeError(error) }, 'a sum broke off');
        throw error;
      } finally {
        free.push(sum);
      }
    };
    return { pieces, isWaiting: () => isWaiting };
  };
}

/** A piece of the sum so far; without bytes it is empty: this hop is the first. */
interface PieceBefore {
  begin: number;
  end: number;
  bytes?: Uint8Array;
}

async function* emptyPieces(begin: number, byteLength: number): AsyncGenerator<PieceBefore> {
  for (let at = begin; at < byteLength; at += frameBytes)
    yield { begin: at, end: Math.min(byteLength, at + frameBytes) };
}

/** Ask the hop before. A failure names the worker at fault. */
async function* sumsBefore(
  { receiver, counts }: Pick<HopParts, 'receiver' | 'counts'>,
  hops: readonly SumHop[],
  { term, begin: from }: { term: number; begin: number },
  options: Parameters<StreamReceiver['receive']>[2],
): AsyncGenerator<PieceBefore> {
  const { peer, request } = sumRequest(hops, term, from);
  try {
    for await (const { begin, bytes } of counts.counted(peer.address, receiver.receive(peer, request, options))) {
      yield { begin, end: begin + bytes.byteLength, bytes };
    }
  } catch (error) {
    throw options.signal.aborted ? error : sumFailure(hops, error);
  }
}
