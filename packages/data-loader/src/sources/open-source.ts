import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FourfoldError, parseS3Url, systemErrorCode } from '@fourfold/common';
import { openStore, readUnfinished, unfinishedKey } from '@fourfold/store';
import { listFiles } from '@fourfold/imaging';
import { isDatasetManifest, manifestKey } from '../prepare/manifest.js';
import { entryName } from './entry-name.js';
import { createListing } from './listing.js';
import type { OnListing, Source } from './source.js';

const archiveName = /\.(zip|tar|tgz|tar\.gz)$/i;

/**
 * The files of a folder (with those of archives in it), of a zip, tar or tgz, or of an `s3:` URL. Nothing is unpacked. Throws
 * `not-found`, `invalid` for any other file, `corrupt` for a damaged archive.
 */
export async function openSource(place: string, onListing?: OnListing): Promise<Source> {
  if (parseS3Url(place)) return openStoreSource(place);
  const path = place.startsWith('file:///') ? fileURLToPath(place) : place.replace(/^file:/, '');
  const found = await stat(path).catch((cause: unknown) => {
    const missing = systemErrorCode(cause) === 'ENOENT';
    throw new FourfoldError(
      missing ? 'not-found' : 'invalid',
      `${path} ${missing ? 'does not exist' : 'cannot be read'}`,
      {
        hint: 'name a folder of pictures, or a zip or tar of them',
        cause,
      },
    );
  });
  if (found.isDirectory()) return openFolderSource(path, onListing);
  if (archiveName.test(path)) return openArchive(path, path, onListing);
  throw new FourfoldError('invalid', `${path} is neither a folder nor a zip, tar or tgz`, {
    hint: 'name a folder of pictures, or a zip or tar of them',
  });
}

/** The readers of archives are loaded for the first one. */
async function openArchive(path: string, title: string, onListing?: OnListing): Promise<Source> {
  if (/\.zip$/i.test(path)) return (await import('./zip-source.js')).openZipSource(path, title, onListing);
  return (await import('./tar-source.js')).openTarSource(path, title, onListing);
}

/** A folder's files; an archive in it counts as a folder of the same name. */
async function openFolderSource(folder: string, onListing?: OnListing): Promise<Source> {
  const listing = createListing();
  const archives: Source[] = [];
  const close = async () => {
    for (const archive of archives) await archive.close();
  };
  try {
    const names = await listFiles(folder);
    const prepared = await preparedDatasets(folder, names);
    listing.unusable.push(
      ...prepared.map((file) => ({ file, reason: 'a dataset prepared by fourfold, not photographs' })),
    );
    const unfinished = await unfinishedFolders(folder, names);
    listing.unusable.push(
      ...unfinished.map((file) => ({ file, reason: 'unfinished output of fourfold, not photographs' })),
    );
    const left = new Set([...prepared, ...unfinished]);
    for (const name of names) {
      const path = join(folder, name);
      if (left.has(dirname(name))) continue;
      const named = entryName(name);
      if (!archiveName.test(name) || named === 'hidden' || 'refused' in named) {
        listing.add(name, { sizeBytes: 0, read: () => readOrReason(path) });
        continue;
      }
      const archive = await openArchive(path, path, onListing);
      archives.push(archive);
      const inside = (file: string) => `${name.replace(archiveName, '')}/${file}`;
      for (const { name: file, ...rest } of archive.files) listing.add(inside(file), rest);
      listing.unusable.push(...archive.unusable.map(({ file, reason }) => ({ file: inside(file), reason })));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const { unusable } = listing;
  return { title: folder, context: basename(resolve(folder)), files: listing.files(), unusable, close };
}

/** The folders of these files that hold a prepared dataset: its tiles are parts of photographs, perhaps of these. */
async function preparedDatasets(folder: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names.filter((name) => basename(name) === manifestKey)) {
    if (await isDatasetManifest(join(folder, name))) found.push(dirname(name));
  }
  return found;
}

/** The folders in which a command of ours was interrupted: its files are not the user's pictures. */
async function unfinishedFolders(folder: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of names.filter((name) => basename(name) === unfinishedKey)) {
    if (await readUnfinished(openStore(join(folder, dirname(name))))) found.push(dirname(name));
  }
  return found;
}

const readOrReason = (path: string): Promise<Buffer> =>
  readFile(path).catch((cause: unknown) => {
    throw new FourfoldError('invalid', `cannot be read: ${String(cause)}`, { cause });
  });

async function openStoreSource(url: string): Promise<Source> {
  if (archiveName.test(url)) {
    throw new FourfoldError('invalid', `${url}: archives are read only from this machine's disks`, {
      hint: 'download it, or store its pictures one by one',
    });
  }
  const store = openStore(url);
  const listing = createListing();
  for (const { key, sizeBytes } of await store.list('')) listing.add(key, { sizeBytes, read: () => store.get(key) });
  const { unusable } = listing;
  return { title: store.url, context: basename(url), files: listing.files(), unusable, close: () => Promise.resolve() };
}
