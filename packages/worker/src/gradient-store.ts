import { status } from '@grpc/grpc-js';
import {
  describeError,
  endWithStatus,
  sendVector,
  tokenName,
  type SharedFile__Output,
  type Token__Output,
  type WorkerHandlers,
} from '@fourfold/common';
import type { SharedGradients } from './shared-gradients.js';

/** Where an offered gradient is: in shared memory, else to be pulled. */
export interface OfferedGradient {
  file?: SharedFile__Output;
}

/**
 * The gradients that this worker has computed and the coordinator has not taken over yet, by token; and the service from
 * which the coordinator pulls those that are not in shared memory. Buffers are used again.
 */
export function createGradientStore(shared: SharedGradients) {
  /** Tokens that were offered and not released. */
  const wanted = new Set<string>();
  /** Gradients to be pulled. */
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
    /**
     * Make a gradient available to the coordinator. Resolves with where it is, or with nothing when its token was released
     * meanwhile.
     */
    async offer(token: Token__Output, gradient: Float32Array): Promise<OfferedGradient | undefined> {
      const name = tokenName(token);
      wanted.add(name);
      const file = await shared.put(token, gradient).catch((error: unknown) => {
        free.push(gradient);
        throw error;
      });
      if (!wanted.has(name)) {
        free.push(gradient);
        shared.release(token);
        return undefined;
      }
      if (file) free.push(gradient);
      else held.set(name, gradient);
      return { file };
    },
    /** The coordinator is done with a token. */
    release(token: Token__Output): void {
      const name = tokenName(token);
      wanted.delete(name);
      const gradient = held.get(name);
      if (gradient && held.delete(name)) free.push(gradient);
      shared.release(token);
    },
    /** Forget everything. */
    clear(): void {
      wanted.clear();
      free.push(...held.values());
      held.clear();
      shared.clear();
    },
  };
}

export type GradientStore = ReturnType<typeof createGradientStore>;
