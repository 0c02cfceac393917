import { crc32c } from './crc32c.js';

/*
 * TensorBoard's event files: TFRecords of `tensorflow.Event` messages. The few fields that are used here are written by hand.
 */

/** What an event holds. */
export type EventContent =
  | { fileVersion: string }
  | { scalars: Readonly<Record<string, number>> }
  /** What earlier files hold from this step on does not count: the run was resumed. */
  | { restart: true };

export interface TensorboardEvent {
  wallTimeSeconds: number;
  step: number;
  content: EventContent;
}

/** Field numbers of `tensorflow.Event`, `Summary`, `Summary.Value` and `SessionLog`. */
const field = {
  event: { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 },
  summary: { value: 1 },
  value: { tag: 1, simpleValue: 2 },
  sessionLog: { status: 1 },
};
const sessionStart = 1;

/** An event as a record of an event file. */
export function eventRecord({ wallTimeSeconds, step, content }: TensorboardEvent): Buffer {
  const message = Buffer.concat([
    double(field.event.wallTime, wallTimeSeconds),
    wholeNumber(field.event.step, step),
    contentOf(content),
  ]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(message.length));
  return Buffer.concat([length, maskedCrc(length), message, maskedCrc(message)]);
}

function contentOf(content: EventContent): Buffer {
  if ('fileVersion' in content) return bytes(field.event.fileVersion, Buffer.from(content.fileVersion));
  if ('restart' in content) {
    return bytes(field.event.sessionLog, wholeNumber(field.sessionLog.status, sessionStart));
  }
  const values = Object.entries(content.scalars).map(([tag, value]) =>
    bytes(
      field.summary.value,
      Buffer.concat([bytes(field.value.tag, Buffer.from(tag)), float(field.value.simpleValue, value)]),
    ),
  );
  return bytes(field.event.summary, Buffer.concat(values));
}

/** A checksum as TFRecords store it. */
function maskedCrc(data: Uint8Array): Buffer {
  const crc = crc32c(data);
  const masked = Buffer.alloc(4);
  masked.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return masked;
}

/*
 * Protobuf's encoding.
 */

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 };
const key = (number: number, type: number): Buffer => varint((number << 3) | type);

function varint(value: number): Buffer {
  const groups: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) groups.push((rest % 0x80) | 0x80);
  return Buffer.from([...groups, rest]);
}

const wholeNumber = (number: number, value: number) => Buffer.concat([key(number, wire.varint), varint(value)]);
const bytes = (number: number, body: Buffer) => Buffer.concat([key(number, wire.bytes), varint(body.length), body]);

function double(number: number, value: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeDoubleLE(value);
  return Buffer.concat([key(number, wire.fixed64), body]);
}

function float(number: number, value: number): Buffer {
  const body = Buffer.alloc(4);
  body.writeFloatLE(value);
  return Buffer.concat([key(number, wire.fixed32), body]);
}
