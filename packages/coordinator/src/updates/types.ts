import type { NetworkWires } from '@fourfold/weights';
import type { AdamConfig, FourfoldError } from '@fourfold/common';
import type { Stamp } from '@fourfold/rpc';

/** A network as the updater sees it. */
export interface UpdatedNetwork {
  parameterCount: number;
  /** Parameters, then batch norm's running averages. */
  length: number;
  /** Whether batch norm's running averages stay as they are. */
  frozenStatistics?: boolean;
  /** Decay of an exponential moving average of the vector; undefined for none. */
  averageDecay?: number;
  /** Whether its sum's parameters are rounded to bfloat16 after each replica's addition. */
  roundedSums?: boolean;
  /** How its vector crosses to workers, and gradients from them. */
  wires: Pick<NetworkWires, 'parameters' | 'deltas' | 'gradients' | 'sums'>;
}

/** What workers hold of a network whose parameters cross as deltas. */
export interface View {
  /** Like the master's: its parameters are the sum of all deltas, its statistics the master's. */
  readonly vector: Float32Array;
  /** What the copy's own update added to the view, for the wire. */
  readonly deltas: Uint8Array;
}

/** All that an update of a network changes. The vectors are views of the shared memory. */
export interface StateCopy {
  readonly vector: Float32Array;
  /** The vector's moving average, if it has one. */
  readonly average?: Float32Array;
  readonly firstMoments: Float32Array;
  readonly secondMoments: Float32Array;
  /** What workers hold, if that is not the vector. */
  readonly view?: View;
  /** The vector rounded for the wire, if it is. */
  readonly wire?: Uint8Array;
}

/**
 * One network's master state, in two copies. An update reads the committed copy and writes the staged one; then they
 * change places, so the vectors of an update ago must be read anew. Its own vectors are those of the committed copy.
 */
export interface MasterState extends UpdatedNetwork, StateCopy {
  readonly committed: StateCopy;
  /** Anything, until an update has written all of it. */
  readonly staged: StateCopy;
  /** The sum of the replicas' gradient vectors. */
  readonly sum: Float32Array;
  /** What crosses of the whole vector: rounded, or the bytes of the vector or the view. */
  readonly wire: Uint8Array;
  /** Whether an update has made the committed copy: then its deltas are there. */
  readonly isUpdated: boolean;
  /** Make the staged copy the committed one. */
  commit(): void;
}

/** The numbers of one update. */
export interface UpdateNumbers {
  replicas: number;
  learningRate: number;
  /** Adam's step number, from 1. */
  step: number;
  adam: AdamConfig;
  /** A mean gradient whose Euclidean norm is larger is scaled down to it. */
  clipNorm?: number;
}

/** An update that is on its way into the staged copy. */
export interface StagedUpdate {
  /** The sum is there up to this element: the update goes on as far as it can without the rest. */
  advance: (end: number) => void;
  /** The parameters before this element, a whole number of blocks or all, are as the update makes them, and ready for the wire. */
  reached: () => number;
  /**
   * The whole sum is there. Resolves with the first element whose weight or second moment is NaN or infinite, if there is one: the staged
   * copy is then of no use. The committed copy stays as it is.
   */
  finish(): Promise<number | undefined>;
  /** The staged copy is not wanted. Resolves when nothing writes to it any more. */
  drop(): Promise<void>;
}

/** A gradient in a shared file that is open in this process. */
export interface SharedBytes {
  descriptor: number;
  stamp: Stamp;
}

/** How many bytes of a piece were added, and the failure that stopped it. */
export interface Added {
  added: number;
  failure?: FourfoldError;
}

export interface Updater {
  readonly states: readonly MasterState[];
  /**
   * Add bytes of a replica's gradient, from byte `begin` of its wire vector, to the sum; with `first` set the sum to
   * them. Returns false, and changes nothing, if an element is NaN, infinite or too large for Adam. Not for sections
   * with factors.
   */
  accumulate(state: MasterState, begin: number, bytes: Uint8Array, first: boolean): boolean;
  /**
   * The same for bytes in shared memory, by one of the threads: consecutive replicas use different threads. Resolves
   * with how much was added before an unusable or unreadable element.
   */
  accumulateShared(
    state: MasterState,
    range: SharedBytes & { begin: number; byteLength: number },
    replica: number,
  ): Promise<Added>;
  /**
   * The same for all factors of a section, which `read` writes to the memory that it is given: all threads add the
   * product. One call at a time.
   */
  accumulateFactors(
    state: MasterState,
    begin: number,
    read: (target: Uint8Array) => void,
    first: boolean,
  ): Promise<Added>;
  /** Set a stretch of the sum to bytes of one that workers have made, from byte `begin` of its wire vector (`wires.sums`). */
  setSum(state: MasterState, begin: number, bytes: Uint8Array): void;
  /** Make the committed copy's wire vector, where no update has made it. */
  encodeParameters(state: MasterState): Promise<void>;
  /**
   * Begin an update from the sum, into the staged copy, once `ready` has resolved: Adam on the parameters and what crosses of them, range by
   * range, then running averages and the vector's moving average. `onReached` hears that more parameters are there.
   */
  stage(
    state: MasterState,
    update: UpdateNumbers,
    options?: { ready?: Promise<void>; onReached?: () => void },
  ): StagedUpdate;
  /** Copy a vector by the threads, in pieces between which they do other work; by this thread if they have died. */
  copy(vector: Float32Array, target: Uint8Array<SharedArrayBuffer>): Promise<void>;
  close(): Promise<void>;
}
