import tf = require('@tensorflow/tfjs-core');
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import type { ModelJSON } from '@tensorflow/tfjs-core/dist/io/types.js';

/** A GraphModel that was loaded on this thread's backend. */
export interface RunningGraphModel {
  backend: string;
  /** Run a model of one input and one output on values [batch, height, width, channels]. */
  run: (values: Float32Array, shape: [number, number, number, number]) => Promise<Float32Array>;
}

/** Load a GraphModel's `model.json` with TensorFlow.js's own loader; `read` reads its shards. */
export async function runGraphModel(
  modelJson: Uint8Array,
  read: (name: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<RunningGraphModel> {
  const json = JSON.parse(new TextDecoder().decode(modelJson)) as ModelJSON;
  const load = async () =>
    tf.io.getModelArtifactsForJSON(json, async (manifest) => {
      const shards = await Promise.all(manifest.flatMap(({ paths }) => paths).map(read));
      return [manifest.flatMap(({ weights }) => weights), Buffer.concat(shards).buffer.slice(0)];
    });
  const model = await loadGraphModel({ load });
  return {
    backend: tf.getBackend(),
    async run(values, shape) {
      const lr = tf.tensor4d(values, shape);
      const sr = model.predict(lr) as tf.Tensor;
      const result = (await sr.data()) as Float32Array;
      tf.dispose([lr, sr]);
      return result;
    },
  };
}
