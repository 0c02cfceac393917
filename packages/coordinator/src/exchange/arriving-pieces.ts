import { frameBytes, type StreamedPieces } from '@fourfold/rpc';
import { bytesBefore, deltaBytesBefore, type NetworkWires } from '@fourfold/weights';
import type { ArrivingParameters } from '../updates/arriving-parameters.js';
import { wireOf } from '../updates/master-state.js';

interface ArrivingParts {
  wires: Pick<NetworkWires, 'parameters' | 'deltas'>;
  /** Whether the worker asks for deltas. */
  deltas: boolean;
  /** First byte that it wants: of a frame. */
  begin: number;
  /** Whether a committed version is the newest still: then its bytes do not change. */
  isNewest: () => boolean;
  /** Counts the bytes that are sent. */
  count: (bytes: number) => void;
}

/**
 * Parameters that a worker gets while their update makes them. The last frame waits for the commit, so that whoever has all of a version
 * knows that it is one; if the update is dropped, its pieces end with an error.
 */
export function arrivingPieces(
  arriving: ArrivingParameters,
  { wires: { parameters, deltas }, deltas: areDeltas, begin, isNewest, count }: ArrivingParts,
): StreamedPieces | 'absent' {
  const { copy } = arriving;
  const bytes = areDeltas ? copy.view?.deltas : wireOf(copy);
  if (!bytes || begin % frameBytes !== 0 || begin >= bytes.byteLength) return 'absent';
  const reachedBytes = () =>
    areDeltas && deltas ? deltaBytesBefore(deltas, arriving.reached()) : bytesBefore(parameters, arriving.reached());
  const isThere = (end: number) => end < bytes.byteLength && reachedBytes() >= end;
  const pieces = async function* (signal: AbortSignal) {
    for (let at = begin; at < bytes.byteLength;) {
      const end = Math.min(at + frameBytes, bytes.byteLength);
      const fate = arriving.fate();
      if (fate === 'dropped' || (fate === 'committed' && !isNewest()))
        throw new Error('these parameters are no longer there');
      if (fate === 'open' && !isThere(end)) {
        await arriving.changed(signal);
        continue;
      }
      yield { begin: at, bytes: bytes.subarray(at, end) };
      count(end - at);
      at = end;
    }
  };
  return { pieces, isWaiting: () => true };
}
