import type { Traffic } from '@fourfold/rpc';
import type { Exchange, Master } from '@fourfold/coordinator';
import type { Laps } from './laps.js';

/*
 * Stopwatches around the parts of an update: the time between two of their calls belongs to one part.
 */

/** An exchange that records when it has published, and when a sum is asked for and has come. */
export const measureExchange = (inner: Exchange, laps: Laps): Exchange => ({
  ...inner,
  async publish() {
    await inner.publish();
    laps.lap('publish');
  },
  async *sum(...args) {
    laps.lap('parameters');
    yield* inner.sum(...args);
    laps.lap('pulling');
    // Workers add while it comes.
    laps.lap('reducing');
  },
});

/**
 * A master that records when gradients arrive, when they are added and when updates end, and the traffic at the end of each
 * iteration. It keeps the generator that workers hold from before the last of `iterations`. After each, training waits for `onIteration`.
 */
export function measureMaster(
  inner: Master,
  laps: Laps,
  current: Readonly<Traffic>,
  iterations: number,
  onIteration: (done: number) => Promise<void>,
): { master: Master; traffic: readonly Traffic[]; lastGenerator: () => Float32Array } {
  const traffic: Traffic[] = [];
  let lastGenerator = new Float32Array();
  /** How many gradients are being added, and whether one has arrived since the last update. */
  let adding = 0;
  let hasArrived = false;
  const begin = () => {
    if (adding++ > 0) return;
    laps.lap(hasArrived ? 'pulling' : 'parameters');
    hasArrived = true;
  };
  const end = () => {
    if (--adding === 0) laps.lap('reducing');
  };
  const around = async <T>(act: () => Promise<T>): Promise<T> => {
    begin();
    try {
      return await act();
    } finally {
      end();
    }
  };
  const { updater } = inner;
  const master: Master = {
    ...inner,
    updater: {
      ...updater,
      accumulate(...args) {
        begin();
        const isAdded = updater.accumulate(...args);
        end();
        return isAdded;
      },
      accumulateShared: (...args) => around(() => updater.accumulateShared(...args)),
      accumulateFactors: (...args) => around(() => updater.accumulateFactors(...args)),
    },
    async update(network, learningRate) {
      laps.lap('pulling');
      const isLast = network === 'generator' && traffic.length === iterations - 1;
      if (isLast) lastGenerator = sentOf(inner.state(network)).slice();
      await inner.update(network, learningRate);
      laps.lap('adam');
      hasArrived = false;
      if (network === 'discriminator') return;
      laps.endIteration();
      traffic.push(structuredClone(current));
      await onIteration(traffic.length);
    },
  };
  return { master, traffic, lastGenerator: () => lastGenerator };
}

/** What workers hold of a network, before its encoding for the wire. */
export const sentOf = ({ view, vector }: ReturnType<Master['state']>): Float32Array => view?.vector ?? vector;
