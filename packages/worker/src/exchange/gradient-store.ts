import { status } from '@grpc/grpc-js';
import {
  createWireVector,
  endWithStatus,
  gradientRequestSchema,
  messageProblem,
  sendVector,
  tokenName,
  type SharedFile__Output,
  type StreamedVector,
  type Token__Output,
  type Traffic,
  type WireVector,
  type WorkerHandlers,
} from '@fourfold/rpc';
import { describeError } from '@fourfold/common';
import type { WireLayout } from '@fourfold/weights';
import type { SharedGradients } from './shared-gradients.js';

/** Where an offered gradient is: in shared memory, else to be pulled. */
export interface OfferedGradient {
  file?: SharedFile__Output;
}

/**
 * The gradients that this worker has computed and the coordinator has not fetched yet, by token; and the service from which
 * the coordinator pulls those that are not in shared memory. Buffers are reused. `traffic` counts the bytes sent.
 */
// eslint-disable-next-line max-lines-per-function -- short methods that share the buffers
export function createGradientStore(shared: SharedGradients, traffic: Traffic['gradients']) {
  /** Tokens that were offered and not released. */
  const wanted = new Set<string>();
  /** Gradients to be pulled. */
  const held = new Map<string, WireVector>();
  const free: WireVector[] = [];

  const handlers: WorkerHandlers = {
    PullGradient(call) {
      const problem = messageProblem(gradientRequestSchema, call.request);
      if (problem) return endWithStatus(call, status.INVALID_ARGUMENT, problem);
      const { token, begin } = call.request;
      const name = token ? tokenName(token) : 'none';
      const gradient = held.get(name);
      if (!gradient || begin > gradient.bytes.byteLength) {
        endWithStatus(call, status.NOT_FOUND, `no gradient of token ${name} from byte ${begin} on`);
        return;
      }
      traffic.grpc += gradient.bytes.byteLength - begin;
      sendVector(call, gradient.bytes, begin, () => held.get(name) === gradient).catch((error: unknown) =>
        endWithStatus(call, status.INTERNAL, describeError(error)),
      );
    },
  };

  return {
    handlers,
    /** A gradient that waits to be pulled; undefined if there is none of this token. */
    held: (token: Pick<Token__Output, 'term' | 'number'>): WireVector | undefined => held.get(tokenName(token)),
    /** A gradient for the bulk stream, from byte `begin` on. */
    streamed(token: Pick<Token__Output, 'term' | 'number'>, begin: number): StreamedVector | 'absent' {
      const name = tokenName(token);
      const gradient = held.get(name);
      if (!gradient || begin >= gradient.bytes.byteLength) return 'absent';
      traffic.stream += gradient.bytes.byteLength - begin;
      return { bytes: gradient.bytes, stillValid: () => held.get(name) === gradient };
    },
    /** A buffer on shared memory: the compute thread may write a gradient to its vector, which crosses as `layout` says. */
    take(layout: WireLayout): WireVector {
      const index = free.findIndex((buffer) => buffer.layout === layout);
      return index < 0 ? createWireVector(layout) : free.splice(index, 1)[0];
    },
    /** Give back a buffer that was not offered. */
    giveBack(buffer: WireVector): void {
      free.push(buffer);
    },
    /**
     * Encode a gradient and make it available to the coordinator. Resolves with where it is, or with undefined if its token was
     * released meanwhile.
     */
    async offer(token: Token__Output, gradient: WireVector): Promise<OfferedGradient | undefined> {
      const name = tokenName(token);
      wanted.add(name);
      let file: SharedFile__Output | undefined;
      try {
        gradient.encode();
        file = await shared.put(token, gradient.bytes);
      } catch (error) {
        wanted.delete(name);
        free.push(gradient);
        throw error;
      }
      if (!wanted.has(name)) {
        free.push(gradient);
        shared.release(token);
        return undefined;
      }
      if (file) {
        free.push(gradient);
        traffic['shared-memory'] += gradient.bytes.byteLength;
      } else held.set(name, gradient);
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
