import { FourfoldError, isTree } from '@fourfold/common/basics';
import { generatorOf, type GeneratorWeights } from '@fourfold/weights';

/** Whether a place is on the web. */
export const isWebUrl = (place: string): boolean => /^https?:/i.test(place);

/**
 * A generator by URL: of a `.safetensors` file, or of a folder with one or with a folder `checkpoint`. The `manifest.json` of a
 * checkpoint says which file, and its SHA-256. A query, such as a token, is sent with every file's name. Throws `not-found`,
 * `unavailable`, `corrupt` or `invalid`.
 */
export async function fetchGenerator(url: string, signal?: AbortSignal): Promise<GeneratorWeights> {
  if (/\.safetensors$/i.test(new URL(url).pathname)) return generatorOf(await fetchBytes(url, signal), url);
  for (const folder of [url, within(url, 'checkpoint')]) {
    const files = await fetchFiles(within(folder, 'manifest.json'), signal);
    // A run that keeps a moving average is measured by it.
    const name = ['generator-average.safetensors', 'generator.safetensors'].find((name) => files?.[name]);
    if (name === undefined) continue;
    const file = within(folder, name);
    const bytes = await fetchBytes(file, signal);
    await checkSha256(bytes, files?.[name], file);
    return generatorOf(bytes, file);
  }
  const file = within(url, 'generator.safetensors');
  return generatorOf(await fetchBytes(file, signal), file);
}

/** The URL of a file in a folder, with the folder's query. */
function within(folder: string, name: string): string {
  const url = new URL(folder);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${name}`;
  return url.href;
}

/** The SHA-256 of a checkpoint's files; undefined if there is no manifest. */
async function fetchFiles(url: string, signal?: AbortSignal): Promise<Record<string, string> | undefined> {
  // Object stores answer 403 for a missing file where the caller may not list.
  const bytes = await fetchBytes(url, signal, { missing: [403, 404, 410] }).catch((error: unknown) => {
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

/**
 * The bytes behind a URL. Throws `not-found` for a status in `missing`, else `unavailable`, also if the server sends nothing for
 * `silentMs`; and the signal's reason.
 */
export async function fetchBytes(
  url: string,
  signal?: AbortSignal,
  { missing = [404, 410], silentMs = 60_000 } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onHeard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), silentMs);
  };
  let response: Response;
  try {
    onHeard();
    response = await fetch(url, { signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal });
    if (response.ok) return await readBody(response, onHeard);
  } catch (cause) {
    signal?.throwIfAborted();
    const reason = silence.signal.aborted ? `: the server sent nothing for ${silentMs / 1000} s` : ' cannot be fetched';
    throw new FourfoldError('unavailable', `${url}${reason}`, { cause });
  } finally {
    clearTimeout(timer);
  }
  const isMissing = missing.includes(response.status);
  throw new FourfoldError(isMissing ? 'not-found' : 'unavailable', `${url}: the server answered ${response.status}`);
}

async function readBody({ body }: Response, onHeard: () => void): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (const reader = body?.getReader(); reader;) {
    const { done, value } = await reader.read();
    if (done) break;
    onHeard();
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
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
