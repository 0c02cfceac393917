import { mkdtemp, open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventWriter } from './event-writer.js';

let folder: string;
let path: string;
let file: FileHandle;
let isFull: boolean;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-event-writer-'));
  path = join(folder, 'events');
  file = await open(path, 'wx');
  isFull = false;
});
afterEach(() => rm(folder, { recursive: true }));

/** The file, on a disk that takes 3 bytes more once it is full. */
const target = (): Pick<FileHandle, 'write' | 'truncate' | 'close'> => ({
  write: (async (bytes: Buffer, offset: number, length: number, position: number) => {
    if (!isFull) return file.write(bytes, offset, length, position);
    await file.write(bytes, offset, 3, position);
    throw new Error('the disk is full');
  }) as FileHandle['write'],
  truncate: (size) => file.truncate(size),
  close: () => file.close(),
});
const records = (...texts: string[]) => texts.map((text) => Buffer.from(text));
const written = () => readFile(path, 'utf8');

test('what a full disk did not take is written later, and nothing torn stays', async () => {
  const writer = createEventWriter(target());
  await writer.write(records('first.'));
  isFull = true;
  for (const text of ['second.', 'third.']) await expect(writer.write(records(text))).rejects.toThrow('full');
  expect(await written()).toBe('first.sec');
  isFull = false;
  await writer.write(records('fourth.'));
  expect(await written()).toBe('first.second.third.fourth.');
  isFull = true;
  await expect(writer.write(records('last.'))).rejects.toThrow('full');
  isFull = false;
  await writer.close();
  expect(await written()).toBe('first.second.third.fourth.last.');
});

test('only the newest records wait', async () => {
  const writer = createEventWriter(target(), 2);
  isFull = true;
  await expect(writer.write(records('one of many.'))).rejects.toThrow('full');
  await expect(writer.write(records('2.', '3.'))).rejects.toThrow('full');
  isFull = false;
  await writer.close();
  expect(await written()).toBe('2.3.');
});
