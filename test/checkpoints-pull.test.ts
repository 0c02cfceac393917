import { sha256 } from '@fourfold/common';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'minio';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { openStore, type ObjectStore, writeCheckpoint } from '@fourfold/store';
import { findProgram, startMinio, type LocalMinio } from '@fourfold/local-servers';
import { expectFinished, fourfold, killAll, startFourfold } from './support/process.js';
import { startStallingProxy } from './support/stalling-proxy.js';
import { lacks } from './support/needs.mjs';

/*
 * How other deployments get a checkpoint out of MinIO.
 */

const file = 'generator.safetensors';
const body = randomBytes(96 << 20);
const runUrl = 's3://models/store/runs/photos';
const checkpoints = 'store/runs/photos/checkpoints/';

function write(run: ObjectStore, iteration: number, psnr: number, bytes: Buffer): Promise<string> {
  const facts = {
    run: 'photos',
    iteration,
    versions: { generator: iteration, discriminator: 0 },
    finished: false,
    term: 1,
    config: {},
    seed: 0,
    datasetSha256: '',
    workerKind: '',
    history: { rows: [], evaluations: [{ iteration, psnr, ssim: 0.5, pictures: [] }] },
    best: { iteration: 2, psnr: 30 },
  };
  return writeCheckpoint(run, facts, { [file]: bytes, 'other.safetensors': bytes.subarray(0, 99) }, () =>
    Promise.resolve(),
  );
}

describe.skipIf(lacks('servers', !!findProgram('minio')))('from MinIO (after npm run setup:servers)', () => {
  let minio: LocalMinio;
  let folder: string;
  const environment = { ...process.env };

  beforeAll(async () => {
    minio = await startMinio();
    Object.assign(process.env, minio.environment);
    const run = openStore(runUrl);
    await write(run, 2, 30, body);
    await write(run, 4, 29, randomBytes(1000));
    await run.put('terms/00000001.json', '{}');
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fourfold-pull-'));
  });
  afterEach(async () => {
    await killAll();
    await rm(folder, { recursive: true, force: true });
  });
  afterAll(async () => {
    process.env = environment;
    await minio.stop();
  });

  const copy = () => join(folder, 'copy');
  const partialSize = async () => {
    const [partial] = (await readdir(copy()).catch(() => [])).filter((name) => name.startsWith('.partial-'));
    return partial ? (await stat(join(copy(), partial))).size : 0;
  };
  const expectWhole = async () => {
    expect((await readdir(copy())).sort()).toEqual([file, 'manifest.json', 'other.safetensors']);
    expect(sha256(await readFile(join(copy(), file)))).toBe(sha256(body));
  };

  /** Start a pull that has received a part, and receives the rest once its proxy is released. */
  async function startStalling(...args: string[]) {
    const proxy = await startStallingProxy(Number(new URL(minio.endpoint).port), 8 << 20);
    onTestFinished(() => proxy.close());
    const environment = { FOURFOLD_S3_ENDPOINT: proxy.url };
    const pull = startFourfold(['checkpoints', 'pull', `${runUrl}/best`, copy(), ...args], [], environment);
    await expect.poll(partialSize).toBeGreaterThan(1 << 20);
    return { pull, proxy };
  }

  test('MinIO killed and restarted in the middle: the pull waits and resumes', async () => {
    const { pull, proxy } = await startStalling('--json');
    await minio.kill();
    proxy.release();
    const stoppedAt = await partialSize();
    expect(stoppedAt).toBeLessThan(body.length);
    await delay(1_500);
    await minio.start();
    await expectFinished(pull);
    expect(JSON.parse(pull.output())).toMatchObject({ iteration: 2, sizeBytes: body.length + 99, resumedBytes: 0 });
    await expectWhole();
  });

  test('the pull itself killed in the middle: the same command resumes it', async () => {
    const { pull } = await startStalling();
    pull.child.kill('SIGKILL');
    await pull.exit;
    const left = await partialSize();
    const again = await fourfold(['checkpoints', 'pull', `${runUrl}/best`, copy(), '--json']);
    expect(again.code, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ iteration: 2, resumedBytes: left });
    await expectWhole();
  });

  // As in docs/architecture.md: the highest name that has a manifest, each file checked against its SHA-256.
  test('the plain minio client gets the newest by the documented path', async () => {
    const { hostname, port } = new URL(minio.endpoint);
    const { accessKey, secretKey } = minio;
    const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey });
    // An upload that was cut off before its manifest.
    const unfinished = `${checkpoints}00000006-0001/${file}`;
    await client.putObject('models', unfinished, 'x');
    const keys: string[] = [];
    for await (const { name } of client.listObjectsV2('models', checkpoints, true) as AsyncIterable<{ name: string }>) {
      keys.push(name);
    }
    const newest = keys
      .filter((key) => key.endsWith('/manifest.json'))
      .sort()
      .at(-1) as string;
    expect(newest).toBe(`${checkpoints}00000004-0001/manifest.json`);
    const download = async (key: string) => {
      const path = join(folder, 'file');
      await client.fGetObject('models', key, path);
      return readFile(path);
    };
    const { files } = JSON.parse((await download(newest)).toString()) as { files: Record<string, { sha256: string }> };
    expect(Object.keys(files)).toEqual([file, 'other.safetensors']);
    for (const [name, { sha256: expected }] of Object.entries(files)) {
      expect(sha256(await download(newest.replace('manifest.json', name)))).toBe(expected);
    }
    await client.removeObject('models', unfinished);
  });

  test('the policy that fourfold prints lets everybody read the checkpoints and nothing else', async () => {
    const printed = await fourfold(['checkpoints', 'policy', runUrl]);
    expect(printed.code, printed.stderr).toBe(0);
    const { hostname, port } = new URL(minio.endpoint);
    const { accessKey, secretKey } = minio;
    const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey, secretKey });
    for (const key of ['FOURFOLD_S3_ACCESS_KEY', 'FOURFOLD_S3_SECRET_KEY']) delete process.env[key];
    try {
      const refused = await fourfold(['checkpoints', 'pull', runUrl, copy()]);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is not allowed') as string });
      await client.setBucketPolicy('models', printed.stdout);
      const pulled = await fourfold(['checkpoints', 'pull', `${runUrl}/latest`, copy()]);
      expect(pulled).toMatchObject({ code: 0, stdout: expect.stringContaining('iteration 4') as string });
      const anonymous = openStore(runUrl);
      await expect(anonymous.get('terms/00000001.json')).rejects.toThrow('is not allowed');
      await expect(anonymous.put('checkpoints/new', 'x')).rejects.toThrow('is not allowed');
      await expect(openStore('s3://models/store/runs/other').list('')).rejects.toThrow('is not allowed');
    } finally {
      Object.assign(process.env, minio.environment);
    }
  });

  test.each(['out/store/runs/photos', 's3://models/store', 's3://models/runs/a/checkpoints'])(
    'no policy for %s',
    async (url) => {
      const { code, stderr } = await fourfold(['checkpoints', 'policy', url]);
      expect(code).toBe(2);
      expect(stderr).toBe(`fourfold: ${url} is not a run in a bucket; name one: s3://BUCKET/.../runs/NAME`);
    },
  );
});
