import { status } from '@grpc/grpc-js';
import {
  networkOf,
  type HopCounts,
  type NewParameters__Output,
  type OnReached,
  type ParameterKind,
  type StreamReceiver,
  type Traffic,
} from '@fourfold/rpc';
import { describeError, type Logger, type Network } from '@fourfold/common';
import type { createParameterPulls } from './parameter-pulls.js';
import type { ParameterRelay } from './parameter-relay.js';

interface ArrivalParts {
  receiver: StreamReceiver;
  relay: ParameterRelay;
  /** From the coordinator. */
  pulls: Pick<ReturnType<typeof createParameterPulls>, 'pull'>;
  term: number;
  /** Counts the bytes that arrive from other workers. */
  traffic: Traffic['parameters'];
  counts: Pick<HopCounts, 'reaching'>;
  /** How long a worker may send nothing, not even that it waits. */
  silenceMs: number;
  signal: AbortSignal;
  onSilent: (worker: number) => void;
  log: Logger;
}

/**
 * Parameters of one coordinator that arrive at this worker, which passes them on meanwhile: from the worker that the coordinator has
 * named, and from the coordinator where it has named none, or that one does not send.
 */
export function createParameterArrivals(parts: ArrivalParts) {
  const { receiver, relay, pulls, term, traffic, counts, silenceMs, signal, onSilent, log } = parts;
  const announced = new Map<Network, NewParameters__Output>();

  /** Resolves with whether all bytes have come from the worker before. */
  async function fromWorker(
    news: NewParameters__Output,
    kind: ParameterKind,
    bytes: Uint8Array,
    onReached: OnReached,
  ): Promise<boolean> {
    if (!news.from) return false;
    const { worker, address, secret } = news.from;
    const { version } = news;
    const request = { kind, term, number: version, begin: 0 };
    const count = counts.reaching(address, onReached);
    try {
      await receiver.receiveInto({ address, secret, role: 'worker' }, request, bytes, { silenceMs, signal }, count);
      traffic.stream += bytes.byteLength;
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      const about = { kind, version, from: worker, reason: describeError(error) };
      log.info({ event: 'parameters-asked', ...about }, 'the coordinator is asked for parameters instead');
      if (!isRefusal(error)) onSilent(worker);
      return false;
    }
  }

  return {
    announced(news: NewParameters__Output): void {
      announced.set(networkOf(news.network), news);
    },
    /** Fill `bytes` with parameters. Rejects as a pull from the coordinator does. */
    async fetch(network: Network, kind: ParameterKind, version: number, bytes: Uint8Array): Promise<void> {
      const news = announced.get(network);
      // Once: what fails then is fetched from the coordinator.
      announced.delete(network);
      const passing = relay.begin({ term, kind, version, bytes });
      const chained = news?.version === version ? news : undefined;
      const from = chained?.from?.worker ?? 'coordinator';
      const onReached: OnReached = (end, header) => {
        passing.reached(end, header);
        log.debug({ event: 'parameters', network, version, from, end }, 'parameters arrive');
      };
      try {
        if (chained && (await fromWorker(chained, kind, bytes, onReached))) return;
        // Nobody waits for what is not announced: then a message for each frame would be wasted.
        await pulls.pull(kind, version, { target: bytes, begin: passing.end(), ...(chained && { onReached }) });
        passing.reached(bytes.byteLength);
      } catch (error) {
        passing.failed();
        throw error;
      }
    },
  };
}

/** It has no such parameters, or in another form: nobody is at fault. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === status.NOT_FOUND || error.code === status.FAILED_PRECONDITION);
