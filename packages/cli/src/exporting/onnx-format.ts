import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, FourfoldError } from '@fourfold/common';
import type { Picture } from '@fourfold/imaging';
import { encodeOnnxGenerator, onnxPixelForms, type OnnxPixels } from '@fourfold/model/export';
import type { Format } from './format.js';
import { bytesToPlanes, planesToBytes } from './planes.js';

const file = 'generator.onnx';

/** ONNX with whole pixels or floats; run by onnxruntime-web. */
export const onnxFormat = (pixels: OnnxPixels): Format => ({
  title: 'ONNX',
  write: (generator, facts) => Promise.resolve({ [file]: encodeOnnxGenerator(generator, pixels, facts) }),
  async open(folder) {
    const ort = await loadOnnxruntime();
    const session = await ort.InferenceSession.create(new Uint8Array(await readFile(join(folder, file))));
    const run = async (lr: InstanceType<typeof ort.Tensor>) => (await session.run({ lr }))['sr'];
    const upscaleBytes = async ({ data, width, height }: Picture): Promise<Picture> => {
      const sr = await run(new ort.Tensor('uint8', data, [1, height, width, 3]));
      return { data: sr.data as Uint8Array, width: sr.dims[2], height: sr.dims[1] };
    };
    const upscaleFloats = async ({ data, width, height }: Picture): Promise<Picture> => {
      const sr = await run(new ort.Tensor('float32', bytesToPlanes(data), [1, 3, height, width]));
      return { data: planesToBytes(sr.data as Float32Array), width: sr.dims[3], height: sr.dims[2] };
    };
    const upscale = pixels === 'uint8' ? upscaleBytes : upscaleFloats;
    return { runtimes: [{ name: 'onnxruntime-web', upscale }], notChecked: [] };
  },
  usage: pixels === 'uint8' ? usage(pixels, bytesInPython) : usage(pixels, floatsInPython),
});

/** It is an optional package of tens of megabytes, which nothing else needs. */
async function loadOnnxruntime() {
  try {
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'error';
    return ort;
  } catch (cause) {
    throw new FourfoldError('unavailable', `the written file cannot be checked: ${describeError(cause)}`, {
      hint: 'install onnxruntime-web, an optional dependency',
    });
  }
}

const usage = (
  pixels: OnnxPixels,
  python: string,
) => `\`${file}\` is an ONNX model of opset 13, for onnxruntime 1.6 or later.
Batch, height and width are free.

- input \`lr\`: ${onnxPixelForms[pixels].input}
- output \`sr\`: ${onnxPixelForms[pixels].output}

\`\`\`python
import numpy as np, onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("${file}")
lr = np.asarray(Image.open("photograph.jpg").convert("RGB"))
${python}
\`\`\`

Memory grows with the picture. A large one is cut into tiles that overlap by 24 pixels.`;

const bytesInPython = `sr = session.run(None, {"lr": lr[None]})[0][0]
Image.fromarray(sr).save("upscaled.png")`;

const floatsInPython = `planes = lr.transpose(2, 0, 1)[None].astype(np.float32) / 255
sr = session.run(None, {"lr": planes})[0][0].transpose(1, 2, 0)
Image.fromarray(np.floor(sr * 255 + 0.5).astype(np.uint8)).save("upscaled.png")`;
