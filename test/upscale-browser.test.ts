import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '@fourfold/common/basics';
import { cropPicture, downscale, decodePicture } from '@fourfold/imaging';
import { findBrowser } from '@fourfold/local-servers';
import { probeBackends } from '@fourfold/model';
import { encodePicture, readModel } from '../packages/upscale/dist/index.js';
import { checkpointBytes } from '../packages/upscale/dist/test-model.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser, type BrowserPage } from './support/browser.js';
import { lacks } from './support/needs.mjs';
import { photographs } from './support/process.js';

/*
 * @fourfold/upscale in a real browser: a page without any bundler loads the file that the package has for it.
 */

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const checkpoint = inRepository('examples/srresnet-mse/checkpoint');
const folders: Record<string, string> = {
  upscale: inRepository('packages/upscale/dist/assets'),
  checkpoint,
  core: inRepository('node_modules/@tensorflow/tfjs-core/dist'),
  // Where `fourfold setup webgpu` puts it.
  webgpu: join(cacheFolder(), 'webgpu/node_modules/@tensorflow/tfjs-backend-webgpu/dist'),
};
const webgpu = probeBackends().find(({ backend }) => backend === 'webgpu')!;
const types: Record<string, string> = { '.js': 'text/javascript', '.wasm': 'application/wasm', '.png': 'image/png' };

const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** Playwright's own limit is half a minute, which a busy machine exceeds. */
const limit = { timeout: 300_000 };

/** What a user writes. */
const page = `<!doctype html><link rel="icon" href="data:,"><canvas></canvas><script type="module">
import { readModel, toImageData } from '/upscale/upscale.js';
const model = await readModel('/checkpoint');
const shares = [];
const sr = await model.upscale('/small.png', { tile: 16, onProgress: (share) => shares.push(share) });
const canvas = Object.assign(document.querySelector('canvas'), { width: sr.width, height: sr.height });
canvas.getContext('2d').putImageData(toImageData(sr), 0, 0);
const stopped = await model.upscale('/small.png', { signal: AbortSignal.abort('enough') }).catch((reason) => reason);
const missing = await readModel('/nothing').catch(({ message }) => message);
const facts = { backend: model.backend, isIsolated: window.crossOriginIsolated };
window.result = { data: [...sr.data], width: sr.width, height: sr.height, shares, stopped, missing, ...facts };
</script>`;

/** What a user writes for the page to compute by WebGPU. */
const webgpuPage = `<!doctype html><link rel="icon" href="data:,">
<script src="/core/tf-core.min.js"></script>
<script src="/webgpu/tf-backend-webgpu.min.js"></script>
<script type="module">
import { readModel } from '/upscale/upscale.js';
const model = await readModel('/little.safetensors');
const { data, width, height } = await model.upscale('/small.png', { tile: 16 });
window.result = { data: [...data], width, height, backend: model.backend };
</script>`;

/** A program that upscales a picture on a backend, as its argument says, and ends. */
const program = `
import { readModel } from ${JSON.stringify(new URL('../packages/upscale/dist/index.js', import.meta.url).href)};
const { model: file, picture, backend } = JSON.parse(process.argv[1]);
const model = await readModel(Buffer.from(file, 'base64'), { backend });
const { data } = await model.upscale(Buffer.from(picture, 'base64'), { tile: 16 });
console.log(JSON.stringify({ data: [...data], backend: model.backend }));
`;

interface Result {
  data: number[];
  width: number;
  height: number;
  shares: number[];
  backend: string;
  stopped: string;
  missing: string;
  isIsolated: boolean;
}

describe.skipIf(lacks('browser', !!findBrowser()))(
  '@fourfold/upscale (after npm run setup:servers, which finds or installs a browser)',
  () => {
    let server: Server;
    let browser: BrowserPage;
    let small: Uint8Array;

    beforeAll(async () => {
      const photograph = await decodePicture(await readFile(`${photographs}/held-out/raccoon.jpg`));
      const quarter = downscale(downscale(photograph, 0), 0);
      // Four tiles.
      small = await encodePicture(cropPicture(quarter, { left: 8, top: 8, width: 24, height: 18 }), 'png');
      const bodies: Record<string, string | Uint8Array> = { '/': page, '/isolated': page, '/small.png': small };
      Object.assign(bodies, { '/webgpu': webgpuPage, '/little.safetensors': checkpointBytes });
      server = createServer(({ url = '' }, response) => {
        const [, folder, file] = url.split('/');
        const body = bodies[url] ?? (file && folders[folder] ? readFile(`${folders[folder]}/${file}`) : undefined);
        Promise.resolve(body).then(
          (bytes) => {
            const type = { 'content-type': types[extname(url)] ?? 'text/html' };
            response.writeHead(bytes === undefined ? 404 : 200, { ...type, ...(url === '/isolated' && isolation) });
            response.end(bytes);
          },
          () => response.writeHead(404).end(),
        );
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      browser = await openBrowser({ webgpu: true });
    });
    afterAll(async () => {
      await browser.close();
      server.close();
    });

    // An isolated page has threads.
    test.each(['/', '/isolated'])('%s upscales a picture to the pixels that Node.js makes', async (path) => {
      browser.problems.length = 0;
      await browser.page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
      await browser.page.waitForFunction('window.result', undefined, limit);
      const found: Result = await browser.page.evaluate('window.result');
      const model = await readModel(checkpoint, { backend: 'wasm', threads: 1 });
      const expected = await model.upscale(small, { tile: 16 });
      expect([found.width, found.height, found.backend]).toEqual([expected.width, expected.height, 'wasm']);
      const largest = found.data.reduce((most, level, i) => Math.max(most, Math.abs(level - expected.data[i])), 0);
      expect(largest).toBeLessThanOrEqual(1);
      expect(found.isIsolated).toBe(path === '/isolated');
      expect(found.shares.at(-1)).toBe(1);
      expect(found.stopped).toBe('enough');
      expect(found.missing).toContain('/nothing/generator.safetensors: the server answered 404');
      // The missing model's two files are what the console complains about.
      expect(browser.problems.filter((text) => !text.includes('404'))).toEqual([]);
    });

    // SwiftShader compiles for some seconds in each.
    test.skipIf(lacks('webgpu', webgpu.found, webgpu.detail))(
      'by WebGPU, a page and Node.js make the same picture as wasm, but for a grey level',
      async () => {
        browser.problems.length = 0;
        await browser.page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/webgpu`);
        await browser.page.waitForFunction('window.result', undefined, limit);
        const inPage: Result = await browser.page.evaluate('window.result');
        // TensorFlow.js is there twice, with one registry.
        expect(browser.problems.filter((text) => !text.includes('Platform browser has already been set'))).toEqual([]);
        const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
        const inputs = { model: base64(checkpointBytes), picture: base64(small) };
        const inNode = async (backend: string) => {
          const args = ['--input-type=module', '-e', program, JSON.stringify({ ...inputs, backend })];
          const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26, ...limit });
          return JSON.parse(stdout) as Result;
        };
        const [expected, byDawn] = await Promise.all([inNode('wasm'), inNode('webgpu')]);
        for (const found of [inPage, byDawn]) {
          expect(found.backend).toBe('webgpu');
          const largest = found.data.reduce((most, level, i) => Math.max(most, Math.abs(level - expected.data[i])), 0);
          expect(largest).toBeLessThanOrEqual(1);
        }
      },
    );

    test('the bundle imports nothing', async () => {
      const source = await readFile(`${folders['upscale']}/upscale.js`, 'utf8');
      expect(source).not.toMatch(/\bfrom\s*["']|\bimport\s*["'(]|node:/);
    });
  },
);
