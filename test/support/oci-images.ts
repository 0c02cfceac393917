import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

/*
 * Container images without an engine: layers are what tar makes of files here, in an OCI image layout (a folder of blobs by digest).
 */

/** A layer in the layout. Not compressed, so that its digest is also that of its contents. */
export interface Layer {
  digest: string;
  size: number;
}

export interface Image {
  /** With its registry and tag, as `docker.io/library/busybox:1`. */
  name: string;
  layers: readonly Layer[];
  /** As in the OCI image configuration: `Cmd`, `Entrypoint`, `User`. */
  config?: Record<string, unknown>;
  /** Variables, beside PATH. */
  environment?: Readonly<Record<string, string>>;
}

const reproducibly = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
const blobs = 'blobs/sha256';

/** Add a layer of what `tar --create` makes with these arguments: one for the same files, whatever their times and owners. */
export async function addLayer(layout: string, ...tarArgs: string[]): Promise<Layer> {
  await mkdir(join(layout, blobs), { recursive: true });
  const unfinished = join(layout, randomUUID());
  await promisify(execFile)('tar', ['--create', '--file', unfinished, ...reproducibly, ...tarArgs]);
  const hash = createHash('sha256');
  await pipeline(createReadStream(unfinished), hash);
  const digest = hash.digest('hex');
  const { size } = await stat(unfinished);
  await rename(unfinished, join(layout, blobs, digest));
  return { digest: `sha256:${digest}`, size };
}

/** Complete a layout with these images of its layers. */
export async function writeImages(layout: string, images: readonly Image[]): Promise<void> {
  const addJson = async (value: unknown): Promise<Layer> => {
    const text = JSON.stringify(value);
    const digest = createHash('sha256').update(text).digest('hex');
    await writeFile(join(layout, blobs, digest), text);
    return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
  };
  const manifests = await Promise.all(
    images.map(async ({ name, layers, config, environment }) => {
      const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) };
      const Env = Object.entries({ PATH: searchPath, ...environment }).map((variable) => variable.join('='));
      const described = await addJson({ ...platform, rootfs, config: { Env, ...config } });
      const manifest = await addJson({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, ...described },
        layers: layers.map((layer) => ({ mediaType: mediaTypes.layer, ...layer })),
      });
      return { mediaType: mediaTypes.manifest, ...manifest, annotations: { 'io.containerd.image.name': name } };
    }),
  );
  await Promise.all([
    writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests })),
    writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' })),
  ]);
}

const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
const searchPath = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};
