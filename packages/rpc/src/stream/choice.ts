import { describeError } from '@fourfold/common';
import { isUnanswered } from './receiver.js';

/** Vectors of one peer, by the bulk stream or by gRPC. */
export type StreamChoice = <T>(byStream: () => AsyncIterable<T>, byGrpc: () => AsyncIterable<T>) => AsyncGenerator<T>;

/**
 * The bulk stream with a peer, and gRPC instead, from then on, where the peer has never answered on it and does by gRPC. `onSilent` is
 * called once if so. A peer that has answered is not asked by gRPC: what fails then is the transfer.
 */
export function createStreamChoice(onSilent: (reason: string) => void): StreamChoice {
  let state: 'untried' | 'answers' | 'silent' = 'untried';
  return async function* choose(byStream, byGrpc) {
    let reason: string | undefined;
    if (state !== 'silent') {
      try {
        for await (const piece of byStream()) {
          state = 'answers';
          yield piece;
        }
        return;
      } catch (error) {
        if (state === 'answers' || !isUnanswered(error)) throw error;
        reason = describeError(error);
      }
    }
    for await (const piece of byGrpc()) {
      if (state !== 'silent' && reason !== undefined) onSilent(reason);
      state = 'silent';
      yield piece;
    }
  };
}
