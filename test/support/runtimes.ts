import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { cacheFolder } from '@fourfold/common';

/*
 * Exported models as users run them: with the packages of `npm run setup:runtimes`, which know nothing of fourfold.
 */

const cache = cacheFolder();
const packages = join(cache, 'runtimes', 'node_modules');

/** Whether `npm run setup:runtimes` has installed the npm packages. */
export const hasRuntimes = existsSync(join(cache, 'runtimes', 'made-of.json'));

/** 8-bit RGB, row by row. */
export interface Pixels {
  data: Uint8Array;
  width: number;
  height: number;
}

const scripts = {
  'onnxruntime-node': `
    const ort = require('onnxruntime-node');
    const session = await ort.InferenceSession.create(model);
    upscale = async ({ data, width, height }) =>
      (await session.run({ lr: new ort.Tensor('uint8', data, [1, height, width, 3]) })).sr.data;`,
  '@tensorflow/tfjs': `
    const tf = require('@tensorflow/tfjs');
    const graph = await tf.loadGraphModel(model);
    upscale = async ({ data, width, height }) => {
      const lr = tf.tensor4d(data, [1, height, width, 3], 'float32').div(255);
      return graph.predict(lr).clipByValue(0, 1).mul(255).round().data();
    };`,
};

/**
 * Upscale pictures with an exported model in a separate Node.js process; `model` is a file, or a URL for TensorFlow.js.
 */
export async function upscaleInNode(runtime: keyof typeof scripts, model: string, pictures: Pixels[]) {
  const script = `
    const [model, pictures] = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
    (async () => {
      let upscale;
      ${scripts[runtime]}
      const all = [];
      for (const { data, ...size } of pictures) {
        const sr = await upscale({ data: new Uint8Array(Buffer.from(data, 'base64')), ...size });
        all.push(Buffer.from(Uint8Array.from(sr)).toString('base64'));
      }
      console.log(JSON.stringify(all));
    })();`;
  const child = spawn(process.execPath, ['-e', script], { cwd: packages, stdio: ['pipe', 'pipe', 'pipe'] });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const input = pictures.map(({ data, ...size }) => ({ data: Buffer.from(data).toString('base64'), ...size }));
  child.stdin.end(JSON.stringify([model, input]));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${runtime}: ${errors}`);
  const results = JSON.parse(output.trim().split('\n').at(-1) ?? '') as string[];
  return results.map((data, i): Pixels => ({
    data: new Uint8Array(Buffer.from(data, 'base64')),
    width: 4 * pictures[i].width,
    height: 4 * pictures[i].height,
  }));
}

const types: Record<string, string> = { '.js': 'text/javascript', '.html': 'text/html', '.json': 'application/json' };

/** The packages that UpscalerJS's page loads, by the path at which they are served. */
const scriptsOfPage: Record<string, string> = {
  '/tf.js': '@tensorflow/tfjs/dist/tf.min.js',
  '/upscaler.js': 'upscaler/dist/browser/umd/upscaler.min.js',
};
/** Offers `upscaleAll`: from URLs of pictures to data URLs of PNGs, as a user of UpscalerJS would write it. */
const page = `<!doctype html>
<link rel="icon" href="data:," />
${Object.keys(scriptsOfPage)
  .map((path) => `<script src="${path}"></script>`)
  .join('\n')}
<script type="module">
  import { fourfoldModel } from '/upscaler-model.js';
  // Without a GPU the browser emulates WebGL, which takes longer.
  await tf.setBackend('cpu');
  const upscaler = new Upscaler({ model: fourfoldModel('/model.json') });
  globalThis.upscaleAll = async (pictures) => {
    const results = [];
    for (const picture of pictures) results.push(await upscaler.upscale(picture));
    return results;
  };
</script>`;

/** Serve the files of an exported GraphModel, and at `/` a page that upscales with it by UpscalerJS. */
export async function serveModel(folder: string): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const file = scriptsOfPage[path] ? join(packages, scriptsOfPage[path]) : join(folder, path);
    const body = path === '/' ? Promise.resolve(page) : readFile(file);
    body.then(
      (content) => response.setHeader('content-type', types[extname(path || '/')] ?? 'text/html').end(content),
      () => response.writeHead(404).end(),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
