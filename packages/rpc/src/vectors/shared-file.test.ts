import { execFile } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import {
  createSharedFile,
  openSharedFile,
  pieceBytes,
  readVector,
  readVectorSync,
  secretStamp,
  whyNotShared,
  type OwnFile,
  type PeerFile,
} from './shared-file.js';
import { lacks } from '../../../../test/support/needs.mjs';

const folder = '/dev/shm';
const [first, second] = [1, 2].map((number) => ({ term: 1, number }));

const opened: (OwnFile | PeerFile)[] = [];
afterEach(async () => {
  for (const file of opened.splice(0)) await file.close();
});

async function create(): Promise<OwnFile> {
  const file = await createSharedFile(folder);
  opened.push(file);
  return file;
}
async function openPeer(own: OwnFile): Promise<PeerFile> {
  const file = await openSharedFile(own.place);
  opened.push(file);
  return file;
}

/** The unnamed files that this process has open in the folder. */
const unnamedFiles = () =>
  readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(`${folder}/`);
    } catch {
      return false;
    }
  }).length;

const never = new AbortController().signal;
const sharedBytes = (byteLength: number) => new Uint8Array(new SharedArrayBuffer(byteLength)).fill(255);
const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  Buffer.compare(
    Buffer.from(a.buffer, a.byteOffset, a.byteLength),
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  ) === 0;

test('a missing folder is reported', async () => {
  await expect(createSharedFile('/nowhere')).rejects.toMatchObject({
    code: 'unavailable',
    message: 'there is no shared memory in /nowhere',
  });
});

describe.skipIf(lacks('linux', process.platform === 'linux'))('on Linux', () => {
  test('a vector of several pieces crosses, whole or from a byte on', async () => {
    const own = await create();
    const vector = Uint8Array.from({ length: 3 * pieceBytes + 20 }, (_, i) => i % 251);
    await own.write(first, vector);
    const peer = await openPeer(own);
    const whole = sharedBytes(vector.length);
    await readVector(peer, first, whole, never);
    expect(sameBytes(whole, vector)).toBe(true);
    const [begin, part] = [pieceBytes + 3, sharedBytes(1000)];
    readVectorSync(peer.descriptor, first, begin, part);
    expect(sameBytes(part, vector.subarray(begin, begin + 1000))).toBe(true);
    expect(() => readVectorSync(peer.descriptor, first, vector.length, new Uint8Array(4))).toThrow('ends too early');
  });

  test('a reader gets the vector that the stamp identifies', async () => {
    const own = await create();
    const peer = await openPeer(own);
    const target = sharedBytes(4 * pieceBytes);
    const found = () => [first, second].map((stamp) => peer.holds(stamp));
    const replaced = { code: 'unavailable', message: 'the shared memory now holds a different vector' };
    expect(found()).toEqual([false, false]);
    await own.write(first, new Uint8Array(target.length));
    expect(found()).toEqual([true, false]);
    await expect(readVector(peer, second, target, never)).rejects.toMatchObject(replaced);
    // The write begins after the read, and ends it.
    const reading = readVector(peer, first, target, never);
    const writing = own.write(second, new Uint8Array(target.length).fill(1));
    await expect(reading).rejects.toMatchObject(replaced);
    await writing;
    expect(found()).toEqual([false, true]);
    expect(() => readVectorSync(peer.descriptor, first, 0, new Uint8Array(4))).toThrow(replaced.message);
    await expect(readVector(peer, second, target, AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
  });

  test('no file has a name, and none stays open after its owner and its reader have closed it', async () => {
    const names = readdirSync(folder);
    const before = unnamedFiles();
    const own = await createSharedFile(folder);
    await own.write(first, new Uint8Array(10).fill(3));
    const peer = await openSharedFile(own.place);
    expect(readdirSync(folder)).toEqual(names);
    expect(unnamedFiles()).toBe(before + 2);
    await own.close();
    const values = sharedBytes(10);
    await readVector(peer, first, values, never);
    expect([...values]).toEqual(Array.from(values, () => 3));
    await peer.close();
    expect(unnamedFiles()).toBe(before);
  });

  test('a peer shares memory when it finds the secret', async () => {
    const own = await create();
    const secret = secretStamp();
    await own.write(secret, new Uint8Array());
    expect(whyNotShared(own.place, secret)).toBeUndefined();
    expect(whyNotShared(own.place, secretStamp())).toBe('the worker is on another host');
    expect(whyNotShared({ ...own.place, pid: 2 ** 30 }, secret)).toMatch(/another host.*it does not exist/);
    // The numbers may name anything: here the standard streams, pipes or a terminal.
    for (const descriptor of [0, 1, 2])
      expect(whyNotShared({ ...own.place, descriptor }, secret)).toMatch(/another host/);
  });

  test('a full folder is reported, and the space taken is freed', async () => {
    // A limit on file sizes stands in for a full folder.
    const script = `
      import { createSharedFile, openSharedFile } from '${new URL('../../dist/index.js', import.meta.url).href}';
      import { fstatSync } from 'node:fs';
      const file = await createSharedFile('${folder}');
      await file.write({ term: 1, number: 1 }, new Uint8Array(4000));
      const error = await file.write({ term: 1, number: 2 }, new Uint8Array(400_000)).catch((error) => error);
      const { code, message } = error;
      const peer = await openSharedFile(file.place);
      const held = [1, 2].map((number) => peer.holds({ term: 1, number }));
      console.log(JSON.stringify({ code, message, held, sizeBytes: fstatSync(file.place.descriptor).size }));
    `;
    const args = ['-c', 'ulimit -f 128; exec "$@"', '-', process.execPath, '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)('bash', args);
    expect(JSON.parse(stdout)).toEqual({
      code: 'no-space',
      message: `shared memory ${folder} has no room for 400000 bytes`,
      held: [false, false],
      sizeBytes: 0,
    });
  });
});
