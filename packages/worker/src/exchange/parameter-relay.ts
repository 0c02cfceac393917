import { EventEmitter, once } from 'node:events';
import {
  frameBytes,
  parameterKinds,
  type OnReached,
  type ParameterKind,
  type StreamedPieces,
  type StreamRequest,
} from '@fourfold/rpc';
import type { Network } from '@fourfold/common';

/*
 * Parameters on their way through this worker: what has arrived is passed on to the worker that asks for it, while the rest arrives.
 */

/** A version of a network's parameters that arrives. */
export interface Arrival {
  readonly term: number;
  readonly kind: ParameterKind;
  readonly version: number;
  /** They arrive here, from the first byte to the last. */
  readonly bytes: Uint8Array;
}

interface Passing extends Arrival {
  /** How many bytes have arrived. */
  end: number;
  /** Of the frames in which they came, by first byte. */
  headers: Map<number, Uint8Array>;
}

export interface ParameterRelay {
  /**
   * These arrive from now on, in place of the network's version before, which is no longer passed on: its memory may be the same.
   * `reached` says how far they have come, again and again; it never goes back. `failed`: no more will come.
   */
  begin(arrival: Arrival): { reached: OnReached; end(): number; failed(): void };
  /**
   * Answers a worker that asks for parameters, from a whole frame on. What has not begun to arrive may be about to, within `silenceMs`;
   * what has begun comes, or fails.
   */
  source(request: StreamRequest & { kind: ParameterKind }): StreamedPieces | 'absent' | 'gone';
  /** Bytes passed on so far. */
  readonly passedBytes: () => number;
}

export function createParameterRelay(silenceMs: number): ParameterRelay {
  const passing = new Map<Network, Passing>();
  const changes = new EventEmitter().setMaxListeners(0);
  let passedBytes = 0;
  const wake = () => changes.emit('change');

  return {
    passedBytes: () => passedBytes,
    begin(arrival) {
      const { network } = parameterKinds[arrival.kind];
      const own: Passing = { ...arrival, end: 0, headers: new Map() };
      passing.set(network, own);
      wake();
      return {
        reached(end, header) {
          if (header) own.headers.set(Math.floor((end - 1) / frameBytes) * frameBytes, header);
          own.end = Math.max(own.end, end);
          wake();
        },
        end: () => own.end,
        failed() {
          if (passing.get(network) === own) passing.delete(network);
          wake();
        },
      };
    },
    source(request) {
      const { kind, begin } = request;
      const { network } = parameterKinds[kind];
      const isPassing = (found: Passing) =>
        found.kind === kind && found.term === request.term && found.version === request.number;
      const newest = passing.get(network);
      if (newest && !isPassing(newest) && !isNewer(request, newest)) return 'gone';
      if (begin % frameBytes !== 0 || (newest && isPassing(newest) && begin >= newest.bytes.byteLength))
        return 'absent';
      const pieces = async function* (signal: AbortSignal) {
        const beginning = AbortSignal.any([signal, AbortSignal.timeout(silenceMs)]);
        while (!passing.has(network) || isNewer(request, passing.get(network) as Passing))
          await changed(changes, beginning);
        const found = passing.get(network) as Passing;
        if (!isPassing(found)) throw new Error('newer parameters have arrived');
        const total = found.bytes.byteLength;
        for (let at = begin; at < total;) {
          const end = Math.min(at + frameBytes, total);
          if (passing.get(network) !== found) throw new Error('they no longer arrive');
          if (found.end < end) {
            await changed(changes, signal);
            continue;
          }
          yield { begin: at, bytes: found.bytes.subarray(at, end), header: found.headers.get(at) };
          passedBytes += end - at;
          at = end;
        }
      };
      return { pieces, isWaiting: () => true };
    },
  };
}

/** Resolves at the next change. Rejects with the signal's reason. */
async function changed(changes: EventEmitter, signal: AbortSignal): Promise<void> {
  await once(changes, 'change', { signal }).catch(() => undefined);
  signal.throwIfAborted();
}

/** Whether a worker asks for what comes after this. */
const isNewer = (asked: { term: number; number: number }, { term, version }: Arrival): boolean =>
  asked.term > term || (asked.term === term && asked.number > version);
