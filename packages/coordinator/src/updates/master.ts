import { availableParallelism } from 'node:os';
import { chunkBytes } from '@fourfold/rpc';
import { FourfoldError, type RunConfig, type Network, type Versions } from '@fourfold/common';
import { discriminatorLayout, generatorLayout, initialVector, networkWires, type Layout } from '@fourfold/weights';
import type { WholeCheckpoint } from '@fourfold/store';
import { describeElement } from './bad-gradient.js';
import { beginParameters, type ArrivingParameters, type BegunUpdate } from './arriving-parameters.js';
import { copyFiles, type SnapshotMemory } from './snapshot.js';
import { restoreNetwork, stateFiles } from './state-files.js';
import { createUpdater } from './updater.js';
import type { MasterState, StateCopy, Updater } from './types.js';

const maxUpdateThreads = 4;

/** Master weights, Adam state and running averages of the networks that a run trains. */
export interface Master {
  readonly networks: readonly Network[];
  readonly updater: Updater;
  /** Updates of each network so far. */
  versions(): Versions;
  layout(network: Network): Layout;
  state(network: Network): MasterState;
  /** Begin the network's next update while its sum comes. `update` ends it. */
  beginUpdate(network: Network, learningRate: number): EarlyUpdate;
  /**
   * Apply the reduced sum as the network's next update, or what is left of one that has begun. It commits at its end: if it fails, the state
   * stays as it was. Throws `invalid`, naming the tensor, if a weight or a moment is not finite.
   */
  update(network: Network, learningRate: number): Promise<void>;
  /** The network's next parameters, while an update makes them. */
  arriving(network: Network): ArrivingParameters | undefined;
  /** What workers hold of the network at `version`, while that is the newest: its vector, or its view. */
  serve(network: Network, version: number): Served | undefined;
  /** What `version` adds to the version before, while it is the newest and parameters cross as deltas. */
  serveDeltas(network: Network, version: number): ServedDeltas | undefined;
  /** The generator that `retainGenerator` kept for the evaluation of `version`. */
  serveEvaluated(version: number): Served | undefined;
  /** Keep a copy of the current generator (or its moving average), or `older`, until the next call. */
  retainGenerator(older?: { iteration: number; vector: Float32Array }): void;
  /** Start from another run's generator. */
  startFrom(network: Network, vector: Float32Array): void;
  /** Start from a checkpoint's state. Throws `invalid` if its shapes differ, `corrupt` if a file is not of its kind. */
  restore(checkpoint: WholeCheckpoint): void;
  /**
   * A checkpoint's files of the state as it is now, copied into `memory` beside updates: the next one writes elsewhere.
   * One at a time. The update after that waits for the copy.
   */
  snapshot(memory?: SnapshotMemory): Promise<Record<string, Uint8Array>>;
  close(): Promise<void>;
}

/** An update that begins before the whole sum is there. */
export interface EarlyUpdate {
  /** The sum is there up to this element. */
  advance(end: number): void;
  /** The sum broke off: the update begins anew when there is another. Resolves when nothing writes to the staged copy any more. */
  drop(): Promise<void>;
}

export interface Served {
  vector: Float32Array;
  stillValid: () => boolean;
}

export interface ServedDeltas {
  bytes: Uint8Array;
  stillValid: () => boolean;
}

/** Layouts of the networks that a run trains: the discriminator only where a `gan` phase needs it. */
function runLayouts(config: RunConfig): Partial<Record<Network, Layout>> & { generator: Layout } {
  const hasGan = config.phases.some(({ kind }) => kind === 'gan');
  return {
    generator: generatorLayout(config.generator),
    ...(hasGan && { discriminator: discriminatorLayout(config.discriminator, config.data.crop) }),
  };
}

/** The master state of a run's first iteration: weights from the seed, moments zero. */
// eslint-disable-next-line max-lines-per-function -- short methods that share the versions
export function createMaster(config: RunConfig): Master {
  const layouts = runLayouts(config);
  const networks = Object.keys(layouts) as Network[];
  const versions: Versions = { generator: 0, discriminator: 0 };
  /** Copies that a snapshot has read or is reading, and when it is done. */
  const beingCopied = new Map<StateCopy, Promise<void>>();
  let retained: { version: number; vector: Float32Array } | undefined;

  const layout = (network: Network): Layout => {
    const found = layouts[network];
    if (!found) throw new Error(`this run trains no ${network}`);
    return found;
  };
  const wires = networkWires(config);
  const updater = createUpdater(
    networks.map((network) => ({
      ...layout(network),
      wires: wires[network],
      frozenStatistics: config.frozenBatchNorm,
      roundedSums: config.exchange.sums === 'bf16',
      averageDecay: network === 'generator' ? config.generatorAverage : undefined,
    })),
    Math.min(maxUpdateThreads, availableParallelism()),
    chunkBytes,
  );
  const state = (network: Network) => updater.states[networks.indexOf(network)];
  const begun = new Map<Network, BegunUpdate>();
  const beginUpdate = (network: Network, learningRate: number): BegunUpdate => {
    const { staged } = state(network);
    const { data, adam, clipGradientNorm: clipNorm } = config;
    const step = versions[network] + 1;
    const numbers = { replicas: data.replicas, learningRate, step, adam, clipNorm };
    const ready = beingCopied.get(staged);
    const update = beginParameters(step, staged, (onReached) =>
      updater.stage(state(network), numbers, { ready, onReached }),
    );
    begun.set(network, update);
    return update;
  };
  const begin = (network: Network, vector: Float32Array) => {
    state(network).vector.set(vector);
    state(network).average?.set(vector);
    state(network).view?.vector.set(vector);
  };
  for (const network of networks) begin(network, initialVector(layout(network), config.seed));

  return {
    networks,
    updater,
    versions: () => ({ ...versions }),
    layout,
    state,
    beginUpdate(network, learningRate) {
      const update = beginUpdate(network, learningRate);
      return {
        advance: update.staged.advance,
        async drop() {
          begun.delete(network);
          update.end('dropped');
          await update.staged.drop();
        },
      };
    },
    async update(network, learningRate) {
      const update = begun.get(network) ?? beginUpdate(network, learningRate);
      const { staged, parameters } = update;
      try {
        const bad = await staged.finish();
        if (bad !== undefined) throw notFinite(network, parameters.version, describeElement(layout(network), bad));
        // The commit: nothing can happen between the three.
        state(network).commit();
        versions[network] = parameters.version;
        update.end('committed');
      } finally {
        begun.delete(network);
        if (parameters.fate() === 'open') update.end('dropped');
      }
    },
    arriving: (network) => begun.get(network)?.parameters,
    serve(network, version) {
      const stillValid = () => versions[network] === version;
      if (!networks.includes(network) || !stillValid()) return undefined;
      const { view, vector } = state(network);
      return { vector: view?.vector ?? vector, stillValid };
    },
    serveDeltas(network, version) {
      const stillValid = () => versions[network] === version;
      if (!networks.includes(network) || !stillValid()) return undefined;
      const { view, isUpdated } = state(network);
      return view && isUpdated ? { bytes: view.deltas, stillValid } : undefined;
    },
    serveEvaluated: (version) =>
      retained?.version === version ? { vector: retained.vector, stillValid: () => true } : undefined,
    retainGenerator(older) {
      const { vector, average } = state('generator');
      retained = older
        ? { version: older.iteration, vector: older.vector }
        : { version: versions.generator, vector: (average ?? vector).slice() };
    },
    startFrom: begin,
    restore(checkpoint) {
      for (const network of networks) restoreNetwork(checkpoint, network, layout(network), state(network));
      Object.assign(versions, checkpoint.manifest.versions);
    },
    async snapshot(memory = new Map()) {
      const files = networks.flatMap((network) => stateFiles(network, layout(network), state(network).committed));
      const copied = copyFiles(files, memory, updater);
      // Whoever asked for the copy gets its failure.
      const over = copied.then(nothing, nothing);
      for (const network of networks) beingCopied.set(state(network).committed, over);
      return copied;
    },
    close: () => updater.close(),
  };
}

const nothing = () => undefined;

function notFinite(network: Network, step: number, element: string): FourfoldError {
  return new FourfoldError(
    'invalid',
    `update ${step} of the ${network} makes ${element} NaN or infinite; the state stays as it was before`,
    { hint: 'lower the learning rate' },
  );
}
