import { existsSync, readFileSync } from 'node:fs';
import { symlink, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { imageBase, pauseImage, requireProgram } from '@fourfold/local-servers';
import { addLayer, writeImages } from './oci-images.js';
import { hookPath, pausing } from './unhurried/unhurried.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The image of this checkout, as `--image` names it. */
export const fourfoldImage = 'docker.io/library/fourfold:test';

/** Prometheus, which no manifest of ours names. */
export const prometheusImage = 'docker.io/prom/prometheus:test';

/** The names by which the manifests know the servers. */
export interface ServerImages {
  nats: string;
  minio: string;
}

/**
 * Write the images of a cluster into an OCI image layout: this checkout's packages as the Dockerfile's target `wasm` has them, NATS, MinIO and Prometheus as
 * `setup:servers` installed them, and busybox. All are on one base layer. Workers of the image are unhurried.
 */
export async function writeClusterImages(layout: string, servers: ServerImages): Promise<void> {
  await mkdir(join(layout, 'links'), { recursive: true });
  await symlink('/app/packages/cli/bin/fourfold.js', join(layout, 'links/fourfold'));
  const base = await addLayer(layout, '--directory', imageBase(), '.');
  const program = (path: string, name: string) =>
    addLayer(layout, '--directory', dirname(path), '--transform=flags=r;s,^,usr/local/bin/,', name);
  const inBase = async (name: 'nats-server' | 'minio' | 'prometheus') => [
    base,
    await program(requireProgram(name), name),
  ];
  const app = await addLayer(layout, '--directory', repository, '--transform=flags=rh;s,^,app/,', ...appFiles());
  const link = await program(join(layout, 'links/fourfold'), 'fourfold');
  await writeImages(layout, [
    {
      ...{ name: fourfoldImage, layers: [base, app, link] },
      config: { Entrypoint: ['fourfold'], User: '65532:65532' },
      environment: pausing(`/app/${hookPath}`, 300),
    },
    { name: servers.nats, layers: await inBase('nats-server') },
    { name: servers.minio, layers: await inBase('minio') },
    { name: prometheusImage, layers: await inBase('prometheus') },
    // As the pause image it waits until it is killed.
    { name: pauseImage, layers: [base], config: { Cmd: ['sleep', '2147483647'] } },
  ]);
}

/** tar's arguments for what runs: the packages without sources and tests, and what they depend on. */
function appFiles(): string[] {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const dependencies = Object.entries(lock.packages)
    .filter(([path, { dev }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && !dev)
    .map(([path]) => path)
    .filter((path) => existsSync(join(repository, path)));
  // The last is for browsers, and the largest.
  const excluded = ['*.ts', '*.tsbuildinfo', '*.test.js', '*.js.map', 'packages/tfjs-torch/build', 'onnxruntime-web'];
  const files = ['package.json', hookPath, 'packages', ...dependencies];
  return [...excluded.map((pattern) => `--exclude=${pattern}`), ...files];
}
