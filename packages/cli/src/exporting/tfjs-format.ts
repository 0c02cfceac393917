import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Picture } from '@fourfold/imaging';
import { runGraphModel } from '@fourfold/model/graph-model';
import { encodeGraphModel, tfjsPixels, upscalerModel } from '@fourfold/model/export';
import type { Format } from './format.js';

const file = 'model.json';
const upscalerFile = 'upscaler-model.js';

/** A TensorFlow.js GraphModel and UpscalerJS's definition of it; run by TensorFlow.js on the backend that was started. */
export const tfjsFormat: Format = {
  title: 'a TensorFlow.js GraphModel',
  write: async (generator, facts) => ({
    ...encodeGraphModel(generator, facts),
    [upscalerFile]: await upscalerModel(),
  }),
  async open(folder) {
    const read = async (name: string) => new Uint8Array(await readFile(join(folder, name)));
    const { backend, run } = await runGraphModel(await read(file), read);
    const upscale = async ({ data, width, height }: Picture): Promise<Picture> => {
      const values = await run(
        Float32Array.from(data, (level) => level / 255),
        [1, height, width, 3],
      );
      const levels = Uint8ClampedArray.from(values, (value) => Math.floor(value * 255 + 0.5));
      return { data: new Uint8Array(levels.buffer), width: 4 * width, height: 4 * height };
    };
    return { runtimes: [{ name: `TensorFlow.js on ${backend}`, upscale }], notChecked: [] };
  },
  usage: `\`${file}\` and its shards are a GraphModel. Batch, height and width are free.

- input \`lr\`: ${tfjsPixels.input}
- output \`sr\`: ${tfjsPixels.output}

\`\`\`js
const model = await tf.loadGraphModel('${file}');
const sr = tf.tidy(() => {
  const lr = tf.browser.fromPixels(image).toFloat().div(255).expandDims(0);
  return model.predict(lr).squeeze([0]).clipByValue(0, 1);
});
await tf.browser.toPixels(sr, canvas);
\`\`\`

With UpscalerJS:

\`\`\`js
import Upscaler from 'upscaler';
import { fourfoldModel } from './${upscalerFile}';

const upscaler = new Upscaler({ model: fourfoldModel('/where/it/is/served/${file}') });
const src = await upscaler.upscale(image, { patchSize: 128, padding: 24 });
\`\`\``,
};
