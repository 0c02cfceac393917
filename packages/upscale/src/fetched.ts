import { FourfoldError, isTree } from '@fourfold/common/basics';
import { generatorOf, type GeneratorWeights } from './generator.js';

/** Whether a place is on the web. */
export const isWebUrl = (place: string): boolean => /^https?:/i.test(place);

/**
 * A generator by URL: of a `.safetensors` file, or of a folder with one, whose `manifest.json`, if it is a checkpoint's, says which file
 * and its SHA-256. Throws `not-found`, `unavailable`, `corrupt` or `invalid`.
 */
export async function fetchGenerator(url: string, signal?: AbortSignal): Promise<GeneratorWeights> {
  if (/\.safetensors$/i.test(new URL(url).pathname)) return generatorOf(await fetchBytes(url, signal), url);
  const folder = url.endsWith('/') ? url : `${url}/`;
  const files = await fetchFiles(`${folder}manifest.json`, signal);
  // A run that keeps a moving average is measured by it.
  const name = ['generator-average.safetensors', 'generator.safetensors'].find((name) => files?.[name]);
  const file = `${folder}${name ?? 'generator.safetensors'}`;
  const bytes = await fetchBytes(file, signal);
  if (name !== undefined) await checkSha256(bytes, files?.[name], file);
  return generatorOf(bytes, file);
}

/** The SHA-256 of a checkpoint's files; undefined if there is no manifest. */
async function fetchFiles(url: string, signal?: AbortSignal): Promise<Record<string, string> | undefined> {
  const bytes = await fetchBytes(url, signal).catch((error: unknown) => {
    if (error instanceof FourfoldError && error.code === 'not-found') return undefined;
    throw error;
  });
  if (!bytes) return undefined;
  let manifest: unknown;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new FourfoldError('corrupt', `${url} is not JSON`, { cause });
  }
  const files = isTree(manifest) ? manifest['files'] : undefined;
  if (!isTree(files)) throw new FourfoldError('corrupt', `${url} is not the manifest of a checkpoint`);
  return Object.fromEntries(
    Object.entries(files).flatMap(([name, file]) => (isTree(file) ? [[name, String(file['sha256'])]] : [])),
  );
}

/** The bytes behind a URL. Throws `not-found` or `unavailable`, and the signal's reason. */
export async function fetchBytes(url: string, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    signal?.throwIfAborted();
    throw new FourfoldError('unavailable', `${url} cannot be fetched`, { cause });
  }
  const isMissing = response.status === 404 || response.status === 410;
  throw new FourfoldError(isMissing ? 'not-found' : 'unavailable', `${url}: the server answered ${response.status}`);
}

/** Compare a file with its manifest. Browsers have SHA-256 only on https and localhost. */
async function checkSha256(bytes: Uint8Array<ArrayBuffer>, expected: string | undefined, name: string): Promise<void> {
  const { subtle } = globalThis.crypto as { subtle?: SubtleCrypto };
  if (!subtle) return;
  const digest = new Uint8Array(await subtle.digest('SHA-256', bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (found !== expected) {
    throw new FourfoldError('corrupt', `${name} is damaged: its SHA-256 is not that of its manifest`);
  }
}
