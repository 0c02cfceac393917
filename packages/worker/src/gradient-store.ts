import { status } from '@grpc/grpc-js';
import {
  describeError,
  endWithStatus,
  sendVector,
  tokenName,
  type Token__Output,
  type WorkerHandlers,
} from '@fourfold/common';

/**
 * The gradients that this worker has computed and the coordinator has not taken over yet, by token; and the service from
 * which the coordinator pulls them. Buffers are used again.
 */
export function createGradientStore() {
  const held = new Map<string, Float32Array>();
  const free: Float32Array[] = [];

  const handlers: WorkerHandlers = {
    PullGradient(call) {
      const { token, begin } = call.request;
      const name = token ? tokenName(token) : 'none';
      const vector = held.get(name);
      if (!vector || begin > vector.length) {
        endWithStatus(call, status.NOT_FOUND, `no gradient of token ${name} from element ${begin} on`);
        return;
      }
      sendVector(call, vector, begin, () => held.get(name) === vector).catch((error: unknown) =>
        endWithStatus(call, status.INTERNAL, describeError(error)),
      );
    },
  };

  return {
    handlers,
    /** A buffer of `length` elements on shared memory, for the compute thread to write to. */
    take(length: number): Float32Array {
      const index = free.findIndex((buffer) => buffer.length === length);
      return index < 0 ? new Float32Array(new SharedArrayBuffer(length * 4)) : free.splice(index, 1)[0];
    },
    /** Give a buffer back that was not offered. */
    giveBack(buffer: Float32Array): void {
      free.push(buffer);
    },
    /** From now on the coordinator can pull this gradient. */
    offer(token: Token__Output, gradient: Float32Array): void {
      held.set(tokenName(token), gradient);
    },
    /** The coordinator is done with a token. */
    release(token: Token__Output): void {
      const gradient = held.get(tokenName(token));
      if (gradient && held.delete(tokenName(token))) free.push(gradient);
    },
    /** Forget everything. */
    clear(): void {
      free.push(...held.values());
      held.clear();
    },
  };
}

export type GradientStore = ReturnType<typeof createGradientStore>;
