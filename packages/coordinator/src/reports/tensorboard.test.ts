import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { crc32c } from './crc32c.js';
import { eventRecord } from './event-file.js';
import { openTensorboard } from './tensorboard.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fourfold-tensorboard-'));
});
afterEach(() => rm(folder, { recursive: true }));

const row = (iteration: number) => ({ iteration, phase: 0, learningRate: 1e-4, losses: { content: iteration / 8 } });
const evaluation = { iteration: 20, psnr: 24.5, ssim: 0.75, bicubic: { psnr: 24.25, ssim: 0.5 }, pictures: [] };

/** The known check value, and RFC 3720's. */
test('CRC-32C', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
});

/** TensorBoard 2.21's reader gave these values for these bytes. */
test('an event is the record that TensorBoard reads', () => {
  const record = eventRecord({ wallTimeSeconds: 1.5, step: 300, content: { scalars: { 'loss/content': 0.25 } } });
  expect(record.toString('hex')).toBe(expectedRecord);
});
const expectedRecord =
  '2300000000000000b09f774309000000000000f83f10ac022a150a130a0c6c6f73732f636f6e74656e74150000803e71655516';

/** The records of all event files of a run, in the order of their names. */
async function eventsOf(run: string): Promise<{ step: number; scalars: Record<string, number>; restarts: boolean }[]> {
  const names = (await readdir(join(folder, run))).sort();
  const files = await Promise.all(names.map((name) => readFile(join(folder, run, name))));
  return files.flatMap(recordsIn).map(parseEvent);
}

function recordsIn(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    const body = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 8)).toBe(masked(file.subarray(at, at + 8)));
    expect(file.readUInt32LE(at + 12 + length)).toBe(masked(body));
    records.push(body);
    at += 16 + length;
  }
  return records;
}
const masked = (bytes: Uint8Array) => {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
};

type Field = { number: number; value: number | Buffer };

/** Protobuf's fields; nested messages are bytes. */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const take = (size: number) => bytes.subarray(at, (at += size));
  while (at < bytes.length) {
    const key = varint();
    const read = {
      0: varint,
      1: () => take(8).readDoubleLE(),
      2: () => take(varint()),
      5: () => take(4).readFloatLE(),
    };
    fields.push({ number: key >> 3, value: read[(key & 7) as keyof typeof read]() });
  }
  return fields;
}

function parseEvent(body: Buffer) {
  const get = (fields: Field[], number: number) => fields.find((field) => field.number === number)?.value;
  const event = fieldsOf(body);
  const summary = get(event, 5) as Buffer | undefined;
  const values = summary ? fieldsOf(summary).map(({ value }) => fieldsOf(value as Buffer)) : [];
  return {
    step: (get(event, 2) ?? 0) as number,
    scalars: Object.fromEntries(values.map((value) => [String(get(value, 1)), get(value, 2) as number])),
    restarts: get(event, 7) !== undefined,
  };
}

test('figures of a run, and of a resumed one, whose steps replace those after its checkpoint', async () => {
  const history = { rows: [row(10)], evaluations: [] };
  const first = await openTensorboard({ folder, run: 'photos', iteration: 10, history });
  await first.add({ rows: [row(20)], evaluations: [evaluation] });
  await first.close('stopped');
  const figures = [
    { step: 0, scalars: {}, restarts: false },
    { step: 10, scalars: { 'loss/content': 1.25, learning_rate: Math.fround(1e-4) }, restarts: false },
    { step: 20, scalars: { 'loss/content': 2.5, learning_rate: Math.fround(1e-4) }, restarts: false },
    {
      step: 20,
      scalars: {
        'validation/psnr': 24.5,
        'validation/ssim': 0.75,
        'validation/bicubic_psnr': 24.25,
        'validation/bicubic_ssim': 0.5,
      },
      restarts: false,
    },
  ];
  expect(await eventsOf('photos')).toEqual(figures);

  const second = await openTensorboard({ folder, run: 'photos', iteration: 15, history });
  await second.add({ rows: [row(20)], evaluations: [] });
  await second.close('finished');
  expect(await eventsOf('photos')).toEqual([
    ...figures,
    { step: 0, scalars: {}, restarts: false },
    { step: 16, scalars: {}, restarts: true },
    figures[2],
  ]);
});
