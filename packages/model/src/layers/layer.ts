import tf = require('@tensorflow/tfjs-core');
import assert from 'node:assert/strict';

/*
 * Layers with explicit pullbacks. Activations are always [batch, height, width, channels]; a vector is 1 x 1.
 * Ownership: a layer never disposes its arguments; its results belong to the caller; the tensors it saves belong to its
 * pullback, which frees them when it has run or is disposed.
 */

/** Tensors by their names in the network's layout. */
export type NamedTensors = Map<string, tf.Tensor>;

/** What a forward pass keeps besides its output. */
export interface Forward {
  /** Whether to save what pullbacks need; otherwise they cannot run. */
  saves: boolean;
  /** Where batch norms put their batch's mean and unbiased variance; undefined if not wanted. */
  statistics?: NamedTensors;
}

/** What a pullback should compute. */
export interface Wanted {
  input: boolean;
  /** Where parameters' gradients are added; undefined if not wanted. */
  gradients?: NamedTensors;
  /** Dense weights whose gradients are left as factors: a row for each crop, several passes' rows one after the other. */
  factored?: ReadonlySet<string>;
}

export interface Pullback {
  /**
   * Map the output gradient to the input gradient (undefined if not wanted); may be called once. The forward pass's
   * `parameters` must still exist; `dy` stays the caller's.
   */
  run(dy: tf.Tensor4D, wanted: Wanted): tf.Tensor4D | undefined;
  /** Free what was saved without running; no effect after a run. */
  dispose(): void;
}

/** Maps (parameters, x) to the output and the pullback. */
export type Layer = (
  parameters: NamedTensors,
  x: tf.Tensor4D,
  forward: Forward,
) => [y: tf.Tensor4D, pullback: Pullback];

/** A second handle on a tensor's memory; it keeps the memory until both are disposed. */
export const alias = <T extends tf.Tensor>(tensor: T): T => tf.reshape(tensor, tensor.shape) as T;

/** A pullback that saves aliases of `tensors`, if the forward pass saves anything, and passes them to `run`. */
export function savingPullback<T extends tf.Tensor[]>(
  forward: Forward,
  tensors: [...T],
  run: (saved: T, dy: tf.Tensor4D, wanted: Wanted) => tf.Tensor4D | undefined,
): Pullback {
  let saved = forward.saves ? (tensors.map(alias) as T) : undefined;
  const dispose = () => {
    if (saved) tf.dispose(saved);
    saved = undefined;
  };
  return {
    run: (dy, wanted) => {
      assert(saved, 'a pullback runs once, after a forward pass that saves');
      const dx = run(saved, dy, wanted);
      dispose();
      return dx;
    },
    dispose,
  };
}

/** The parameter or statistic of that name, which layouts and networks guarantee to exist. */
export function named<T extends tf.Tensor>(tensors: NamedTensors, name: string): T {
  const tensor = tensors.get(name);
  assert(tensor, `${name} is not among the network’s tensors`);
  return tensor as T;
}

/** Add a parameter's gradient, taking ownership of it, to those of other passes through the same network. */
export function addGradient(gradients: NamedTensors, name: string, gradient: tf.Tensor): void {
  const sum = gradients.get(name);
  gradients.set(name, sum ? tf.add(sum, gradient) : gradient);
  if (sum) tf.dispose([sum, gradient]);
}

/** Append the rows of a factor, taking ownership of them, to those of other passes through the same network. */
export function appendRows(gradients: NamedTensors, name: string, rows: tf.Tensor2D): void {
  const before = gradients.get(name) as tf.Tensor2D | undefined;
  gradients.set(name, before ? tf.concat2d([before, rows], 0) : rows);
  if (before) tf.dispose([before, rows]);
}

/** Layers one after the other. */
export function sequential(...layers: Layer[]): Layer {
  return (parameters, x, forward) => {
    const pullbacks: Pullback[] = [];
    let y = x;
    for (const layer of layers) {
      const [next, pullback] = layer(parameters, y, forward);
      if (y !== x) y.dispose();
      y = next;
      pullbacks.push(pullback);
    }
    return [y, { run: (dy, wanted) => runBackwards(pullbacks, dy, wanted), dispose: () => disposeAll(pullbacks) }];
  };
}

/** x + body(x). */
export function residual(body: Layer): Layer {
  return (parameters, x, forward) => {
    const [change, pullback] = body(parameters, x, forward);
    const y: tf.Tensor4D = tf.add(x, change);
    change.dispose();
    return [y, { run: (dy, wanted) => addInput(dy, pullback.run(dy, wanted)), dispose: () => pullback.dispose() }];
  };
}

function runBackwards(pullbacks: Pullback[], dy: tf.Tensor4D, wanted: Wanted): tf.Tensor4D | undefined {
  let gradient: tf.Tensor4D | undefined = dy;
  for (const [i, pullback] of [...pullbacks.entries()].reverse()) {
    assert(gradient, 'every layer but the first passes a gradient on');
    const next = pullback.run(gradient, i === 0 ? wanted : { ...wanted, input: true });
    if (gradient !== dy) gradient.dispose();
    gradient = next;
  }
  return gradient;
}

const disposeAll = (pullbacks: Pullback[]) => pullbacks.forEach((pullback) => pullback.dispose());

function addInput(dy: tf.Tensor4D, change: tf.Tensor4D | undefined): tf.Tensor4D | undefined {
  if (!change) return undefined;
  const dx: tf.Tensor4D = tf.add(dy, change);
  change.dispose();
  return dx;
}

/** Of layers that are only measured with. */
export const withoutPullback: Pullback = {
  run: () => assert.fail('this layer is for measuring only: it has no gradient'),
  dispose: () => undefined,
};
