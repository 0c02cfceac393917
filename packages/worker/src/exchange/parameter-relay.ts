import { frameBytes, parameterKinds, type ParameterKind, type StreamedPieces, type StreamRequest } from '@fourfold/rpc';
import { withDeadline, type Network } from '@fourfold/common';

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
}

export interface ParameterRelay {
  /**
   * These arrive from now on, in place of the network's version before, which is no longer passed on: its memory may be the same.
   * `reached` says how far they have come, again and again; it never goes back.
   */
  begin(arrival: Arrival): { reached(end: number): void; end(): number };
  /** Answers a worker that asks for parameters, from a whole frame on. What has not begun to arrive may be about to. */
  source(request: StreamRequest & { kind: ParameterKind }): StreamedPieces | 'absent' | 'gone';
  /** Bytes passed on so far. */
  readonly passedBytes: () => number;
}

/** A worker that asks for what does not arrive within `silenceMs` is sent away, to the coordinator. */
export function createParameterRelay(silenceMs: number): ParameterRelay {
  const passing = new Map<Network, Passing>();
  const waiting = new Set<() => void>();
  let passedBytes = 0;
  const wake = () => {
    const woken = [...waiting];
    waiting.clear();
    for (const resolve of woken) resolve();
  };
  /** Resolves at the next change. Throws when nothing happens, or nobody waits any more. */
  const changed = (signal: AbortSignal) => {
    signal.throwIfAborted();
    return withDeadline(new Promise<void>((resolve) => waiting.add(resolve)), silenceMs, () => {
      throw new Error(`no parameters have arrived for ${silenceMs} ms`);
    });
  };

  return {
    passedBytes: () => passedBytes,
    begin(arrival) {
      const { network } = parameterKinds[arrival.kind];
      const own: Passing = { ...arrival, end: 0 };
      passing.set(network, own);
      wake();
      return {
        reached(end) {
          own.end = Math.max(own.end, end);
          wake();
        },
        end: () => own.end,
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
        for (let at = begin, total = Infinity; at < total;) {
          const found = passing.get(network);
          if (found && !isPassing(found) && !isNewer(request, found)) throw new Error('newer parameters have arrived');
          if (found && isPassing(found)) total = found.bytes.byteLength;
          const end = Math.min(at + frameBytes, total);
          if (!found || !isPassing(found) || found.end < end) {
            await changed(signal);
            continue;
          }
          yield { begin: at, bytes: found.bytes.subarray(at, end) };
          passedBytes += end - at;
          at = end;
        }
      };
      return { pieces };
    },
  };
}

/** Whether a worker asks for what comes after this. */
const isNewer = (asked: { term: number; number: number }, { term, version }: Arrival): boolean =>
  asked.term > term || (asked.term === term && asked.number > version);
