import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheBin, freePorts, requireProgram } from '@fourfold/local-servers';
import sharp from 'sharp';
import { expect } from 'vitest';
import { startCertManager } from './cert-manager.js';
import { fourfoldImage } from './cluster-images.js';
import { repository } from './documented-commands.js';
import { localVolume, readOnlyClaim } from './local-volumes.js';
import { photographs } from './process.js';
import { patience, type RealCluster } from './real-nodes.js';
import { startShell, type Shell } from './shell.js';

/** Someone who types the commands of docs/kubernetes.md, in a checkout and for a cluster of their own. */
export interface Reader {
  /** With nodes that run containers; undefined for simulated ones. */
  cluster?: RealCluster;
  shell: Shell;
  /** The checkout: what commands write is here. */
  folder: string;
  /** What they have in place of the page's text. */
  ownWords: readonly (readonly [from: string, to: string])[];
}

/** Open a shell for a cluster, in a checkout below `place` without files that others have written. Close its shell before the cluster. */
export async function openReader(kubeconfig: string, place: string, cluster?: RealCluster): Promise<Reader> {
  const home = join(place, 'home');
  const folder = join(home, 'fourfold');
  await mkdir(folder, { recursive: true });
  for (const name of ['deploy', 'node_modules', 'package.json'])
    await symlink(join(repository, name), join(folder, name));
  const names = (await readdir(join(photographs, 'train'))).sort();
  await mkdir(join(home, 'photos'));
  for (const name of names.slice(0, 2)) await cp(join(photographs, 'train', name), join(home, 'photos', name));
  await sharp(join(photographs, 'train', names[0]))
    .resize(24, 16, { fit: 'cover' })
    .toFile(join(folder, 'small.jpg'));
  const [minio, page] = await freePorts(2);
  const programs = (['kubectl', 'helm'] as const).map((name) => dirname(requireProgram(name)));
  return {
    cluster,
    folder,
    ownWords: cluster ? ownWords(minio, page) : [],
    shell: await startShell({
      ...{ cwd: folder, folder: join(place, 'typed'), patience },
      environment: {
        ...process.env,
        HOME: home,
        XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '/', '.cache'),
        KUBECONFIG: kubeconfig,
        PATH: [...new Set([cacheBin(), ...programs]), process.env['PATH']].join(':'),
      },
    }),
  };
}

function clusterOf({ cluster }: Reader): RealCluster {
  if (!cluster) throw new Error('simulated nodes have no disks, and no pods that answer');
  return cluster;
}

const ownWords = (minio: number, page: number) =>
  [
    // No registry.
    ['registry.example/fourfold:0.1.0-cuda', fourfoldImage],
    // No GPUs, and two cores for all pods.
    [' --gpus 1', ''],
    [' --set gpus=1', ''],
    ['recipe: srgan-mse', 'recipe: demo'],
    ['globalBatch: 32', 'globalBatch: 4'],
    ['threads: 4', 'threads: 1'],
    // Others use this machine's ports.
    ['service/fourfold-minio 9000', `service/fourfold-minio ${minio}:9000`],
    ['https://localhost:9000', `https://localhost:${minio}`],
    ['service/first-coordinator 8080', `service/first-coordinator ${page}:8080`],
  ] as const;

/** As `mc mirror`, `aws s3 sync` or `rclone` would: four photographs as objects. */
export async function uploadOriginals({ shell }: Reader): Promise<void> {
  const program = `
    import { readdirSync, readFileSync } from 'node:fs';
    import { openStore } from '@fourfold/store';
    const originals = openStore('s3://fourfold/originals');
    for (const name of readdirSync(process.argv[1]).slice(0, 4)) await originals.put(name, readFileSync(process.argv[1] + name));
  `;
  const command = `node --input-type=module --eval "${program}" '${join(photographs, 'train')}/'`;
  const { code, output } = await shell.run(command);
  expect(code, output).toBe(0);
}

/** As the cluster's administrator has: cert-manager. */
export const installCertManager = (reader: Reader): Promise<void> => startCertManager(clusterOf(reader));

/** As an administrator would: a volume with an archive in ImageNet's form, and a claim of it. */
export async function offerImageNet(reader: Reader): Promise<void> {
  const { folder } = reader;
  const cluster = clusterOf(reader);
  const [node] = cluster.nodes;
  const volume = join(node.folder, 'volumes/imagenet');
  await mkdir(volume, { recursive: true });
  const tar = (args: string[]) => promisify(execFile)('tar', args);
  const photos = join(folder, '../photos');
  await tar(['-cf', join(folder, 'n01440764.tar'), '-C', photos, ...(await readdir(photos))]);
  await tar(['-cf', join(volume, 'ILSVRC2012_img_train.tar'), '-C', folder, 'n01440764.tar']);
  await cluster.apply(localVolume('imagenet', node, '1Gi', 'ReadOnlyMany'));
  await cluster.apply(readOnlyClaim('imagenet', 'fourfold'));
}
