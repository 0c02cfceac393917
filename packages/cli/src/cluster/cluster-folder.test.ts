import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inFolder } from '../test-support.js';
import { claimClusterFolder } from './cluster-folder.js';

test('a cluster is kept in its own folder, which it recognises', async () => {
  await inFolder(async (folder) => {
    const kept = join(folder, 'kept');
    await claimClusterFolder(kept, undefined);
    const had = [
      'ca.crt',
      'nats-password',
      'join-token',
      's3-access-key',
      's3-secret-key',
      'environment.sh',
      'run.yaml',
    ];
    for (const name of had) await writeFile(join(kept, name), 'made');
    await claimClusterFolder(kept, undefined);
    // Made by a version without marks.
    await rm(join(kept, 'cluster.json'));
    await claimClusterFolder(kept, undefined);
    expect(await readdir(kept)).toContain('cluster.json');
  });
});

test('a user’s folder is refused unchanged, and so is one among the photographs', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'photos'));
    await writeFile(join(folder, 'run.yaml'), 'mine');
    await writeFile(join(folder, 'environment.sh'), 'mine');
    await expect(claimClusterFolder(folder, undefined)).rejects.toMatchObject({
      code: 'invalid',
      message: `${folder} holds environment.sh, and is not a folder of fourfold-cluster`,
    });
    const photos = join(folder, 'photos');
    for (const kept of [photos, join(photos, 'cluster')]) {
      await expect(claimClusterFolder(kept, photos)).rejects.toThrow('which is read');
    }
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['environment.sh', 'photos', 'run.yaml']);
  });
});
