import { describe, expect, test } from 'vitest';
import { giveMemoryBack, takeMemory } from './message-memory.js';
import { createGather, measureMessages } from './whole-messages.js';

const message = (content: Uint8Array) =>
  Buffer.concat([Buffer.from(`MSG _INBOX.a.0 7 ${content.length}\r\n`), content, Buffer.from('\r\n')]);
const long = message(Buffer.alloc(50_000, 'MSG a 1 9\r\nPING\r\n'));
const short = message(Buffer.from('short'));
const stream = [
  'INFO {"max_payload":1048576}\r\n',
  'PONG\r\n',
  short,
  long,
  'PING\r\n',
  long,
  short,
  "-ERR 'Slow Consumer'\r\n",
];
const bytes = Buffer.concat(stream.map((part) => Buffer.from(part)));

describe('messages of a connection', () => {
  test.each([1, 7, 1000, 16_384, 65_536, bytes.length])('in pieces of %i bytes are whole', (pieceBytes) => {
    const gather = createGather();
    const given: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += pieceBytes) given.push(...gather(bytes.subarray(at, at + pieceBytes)));
    expect(Buffer.concat(given).equals(bytes)).toBe(true);
    for (const piece of given) expect(measureMessages(piece)).toEqual({ wholeBytes: piece.length, nextBytes: 0 });
  });

  test('that come whole are not copied', () => {
    const given = createGather()(bytes);
    expect(given.map(({ buffer, byteOffset }) => [buffer, byteOffset])).toEqual([[bytes.buffer, bytes.byteOffset]]);
  });

  test('headers count as content', () => {
    const headed = Buffer.from('HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n');
    expect(measureMessages(Buffer.concat([headed, headed.subarray(0, 20)]))).toEqual({
      wholeBytes: headed.length,
      nextBytes: headed.length,
    });
  });

  test.each(['x'.repeat(5000), 'MSG a 1 99999999999999\r\nxyz', 'MSG a 1 -5\r\nxyz\n'])(
    'what is no message of NATS’s passes: %.20s',
    (text) => {
      const gather = createGather();
      const given = [...gather(Buffer.from(text)), ...gather(Buffer.from('\n'))];
      expect(Buffer.concat(given).toString()).toBe(`${text}\n`);
    },
  );
});

describe('memory of messages', () => {
  test('is used again once it was given back', () => {
    const first = takeMemory(50_000);
    expect(takeMemory(50_000).buffer).not.toBe(first.buffer);
    giveMemoryBack(first.subarray(100, 200));
    giveMemoryBack(first);
    expect(takeMemory(50_001).buffer).toBe(first.buffer);
    expect(takeMemory(50_001).buffer).not.toBe(first.buffer);
  });

  test('that was not taken here is left alone', () => {
    const foreign = new Uint8Array(50_000);
    giveMemoryBack(foreign);
    expect(takeMemory(50_000).buffer).not.toBe(foreign.buffer);
  });
});
