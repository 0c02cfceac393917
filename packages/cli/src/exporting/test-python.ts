import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Picture } from '@fourfold/imaging';

/** What a format needs in Python. */
export const pythonModules = { onnx: 'numpy, onnxruntime', safetensors: 'numpy, torch, safetensors' };

/** Whether a format is for Python at all. */
export const runsInPython = (format: string): format is keyof typeof pythonModules => format in pythonModules;

/** Code that loads and runs each kind of export: `lr` is uint8 [height, width, 3], and so must `sr` be. */
const scripts: Record<string, string> = {
  'onnx-uint8': `
import onnxruntime
session = onnxruntime.InferenceSession(folder + "/generator.onnx")
sr = session.run(None, {"lr": lr[None]})[0][0]`,
  'onnx-float': `
import onnxruntime
session = onnxruntime.InferenceSession(folder + "/generator.onnx")
planes = lr.transpose(2, 0, 1)[None].astype(np.float32) / 255
# Twice in a batch: the second must be as the first.
pair = session.run(None, {"lr": np.concatenate([planes, planes])})[0]
assert np.abs(pair[0] - pair[1]).max() < 1e-4
sr = np.floor(pair[1].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)`,
  'safetensors-float': `
import torch
sys.path.insert(0, folder)
from generator import load
planes = torch.from_numpy(lr.copy()).permute(2, 0, 1)[None] / 255
with torch.no_grad():
    sr = ((load(folder + "/generator.safetensors")(planes)[0] + 1) * 127.5 + 0.5).clamp(0, 255).byte()
sr = sr.permute(1, 2, 0).contiguous().numpy()`,
};

/** A picture upscaled by an exported model in Python. */
export async function upscaleInPython(python: string, kind: string, folder: string, lr: Picture): Promise<Picture> {
  const script = `
import sys, numpy as np
folder, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
lr = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(height, width, 3)
${scripts[kind]}
assert sr.dtype == np.uint8 and sr.shape == (4 * height, 4 * width, 3), sr.shape
sys.stdout.buffer.write(sr.tobytes())`;
  const child = spawn(python, ['-c', script, join(folder), String(lr.width), String(lr.height)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(lr.data);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [exitCode] = (await once(child, 'close')) as [number];
  if (exitCode !== 0) throw new Error(`${kind} in Python: exit code ${exitCode}`);
  return { data: new Uint8Array(Buffer.concat(chunks)), width: 4 * lr.width, height: 4 * lr.height };
}
