import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FourfoldError, systemErrorCode } from '@fourfold/common';
import { decodeTorchGenerator, encodeTorchGenerator, type GeneratorWeights } from '@fourfold/weights';
import type { Picture } from '@fourfold/imaging';
import { torchClass } from '@fourfold/model/export';
import { createUpscaler } from '../upscaling/generator.js';
import type { Format, Runtime } from './format.js';

const file = 'generator.safetensors';
const classFile = 'generator.py';

/** Safetensors with PyTorch's names and layouts; read back, and run by the PyTorch of `python`, if one is named. */
export const safetensorsFormat = ({ config, layout }: GeneratorWeights, python: string | undefined): Format => ({
  title: 'safetensors for PyTorch',
  write: async (generator, facts) => ({
    [file]: encodeTorchGenerator(generator, facts),
    [classFile]: await torchClass(),
  }),
  async open(folder) {
    const vector = decodeTorchGenerator(layout, await readFile(join(folder, file)), file);
    const upscaler = createUpscaler({ config, layout, vector }, 'zeros');
    const readBack: Runtime = {
      name: 'fourfold, read back',
      upscale: (lr) => upscaler.upscale(lr, Math.max(lr.width, lr.height)),
    };
    if (python === undefined) return { runtimes: [readBack], notChecked: [notRun] };
    const reason = await missingModules(python);
    if (reason !== undefined) {
      throw new FourfoldError('invalid', `--python ${python}: ${reason}`, {
        hint: `run ${python} -m pip install torch numpy safetensors`,
      });
    }
    const torch: Runtime = { name: 'PyTorch', upscale: (lr) => upscaleByTorch(python, folder, lr) };
    return { runtimes: [readBack, torch], notChecked: [] };
  },
  usage: `\`${file}\` has PyTorch's names and layouts (OIHW); \`${classFile}\` is the class that loads it.

- input: float32 [batch, 3, height, width], RGB, 0 to 1
- output: float32 [batch, 3, 4 height, 4 width], RGB, about -1 to 1, not clipped

\`\`\`python
import numpy as np, torch
from PIL import Image
from generator import load

generator = load("${file}")
lr = torch.from_numpy(np.array(Image.open("photograph.jpg").convert("RGB"))).permute(2, 0, 1)[None] / 255
with torch.no_grad():
    sr = ((generator(lr)[0] + 1) * 127.5 + 0.5).clamp(0, 255).byte()
Image.fromarray(sr.permute(1, 2, 0).numpy()).save("upscaled.png")
\`\`\``,
});

const notRun =
  'not run by PyTorch: no Python was named (`--python python3`, one that has torch, numpy and safetensors)';

/** Why a Python cannot load the export; undefined if it can. */
async function missingModules(python: string): Promise<string | undefined> {
  try {
    await promisify(execFile)(python, ['-c', 'import torch, numpy, safetensors.torch'], { timeout: pythonMs });
    return undefined;
  } catch (error) {
    return systemErrorCode(error) === 'ENOENT'
      ? 'there is no such program'
      : 'it cannot import torch, numpy and safetensors';
  }
}

/** Loading PyTorch alone may take half a minute on a busy machine. */
const pythonMs = 300_000;

const script = `
import sys, numpy as np, torch
sys.dont_write_bytecode = True
folder, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.path.insert(0, folder)
from generator import load
pixels = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(height, width, 3).copy()
with torch.no_grad():
    sr = load(folder + "/${file}")(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)[0]
levels = ((sr + 1) * 127.5 + 0.5).clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
sys.stdout.buffer.write(levels.tobytes())`;

async function upscaleByTorch(python: string, folder: string, { data, width, height }: Picture): Promise<Picture> {
  const child = spawn(python, ['-c', script, folder, String(width), String(height)], { timeout: pythonMs });
  const [chunks, errors]: Buffer[][] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin.end(data);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  if (exitCode !== 0) {
    const reason = Buffer.concat(errors).toString().trim().split('\n').at(-1);
    throw new FourfoldError('mismatch', `PyTorch does not run the written file: ${reason}`);
  }
  return { data: new Uint8Array(Buffer.concat(chunks)), width: 4 * width, height: 4 * height };
}
