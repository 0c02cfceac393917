import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { parentPort } from 'node:worker_threads';
import { describeError, FourfoldError, type ErrorCode } from '@fourfold/common/basics';
import { createFrameReader, type FrameReader, type Refusal } from './frame-reader.js';
import { frameBytes, headerBytes, streamProtocol } from './frame.js';

/*
 * The thread that receives the bulk stream. It reads from the sockets directly into shared memory, and tells the main thread how far a
 * vector has come. A connection carries one vector at a time and is kept for the next; concurrent vectors have connections of their own,
 * so that none waits for another.
 */

/** Where to receive from. */
export interface Place {
  host: string;
  port: number;
  /** With TLS: this process's certificate, and the name of the role that the sender's must have. */
  tls?: { ca: string; cert: string; key: string; servername: string };
}

/** What the main thread asks of this one. */
export type ReceiveTask =
  | {
      type: 'receive';
      id: number;
      place: Place;
      request: Uint8Array;
      expected: { term: number; number: number; begin: number; byteLength: number };
      memory: Uint8Array;
      /** Whether to say how far it has come; else only when it is over. */
      isReported: boolean;
      connectMs: number;
      silenceMs: number;
    }
  /** The bytes before `end` are no longer needed; `memory` may be used again. */
  | { type: 'consumed'; id: number; end: number }
  | { type: 'cancel'; id: number }
  /** Nothing more will be wanted of this place. */
  | { type: 'forget'; place: Place };

/**
 * What it answers. `header` is that of the frame that ends there, where the whole vector is kept. After `over` nothing writes to the
 * task's memory.
 */
export type ReceiveAnswer =
  | { type: 'reached'; id: number; end: number; header?: Uint8Array }
  | { type: 'over'; id: number; failure?: ReceiveFailure };

export interface ReceiveFailure {
  message: string;
  code?: ErrorCode;
  refusal?: Refusal['refusal'];
  lost?: number;
  /** No byte came from there: it may not speak this protocol. */
  isUnanswered: boolean;
}

interface Connection {
  socket: Socket;
  /** Receives into this while no transfer is under way, and every frame's header. */
  header: Uint8Array;
  transfer?: Transfer;
}

interface Transfer {
  task: ReceiveTask & { type: 'receive' };
  reader: FrameReader;
  connection: Connection;
  /** The connection was there before. */
  isKept: boolean;
  /** End of what has arrived, and of what the main thread is done with. */
  end: number;
  consumed: number;
  /** How often bytes have come. */
  arrivals: number;
  isPaused: boolean;
  timer?: NodeJS.Timeout;
}

const keepAliveMs = 15_000;
/** What may still arrive after a connection was paused: TLS hands on what it has decrypted. */
const slackBytes = frameBytes;

const idle = new Map<string, Connection[]>();
const transfers = new Map<number, Transfer>();
const keyOf = ({ host, port }: Place) => `${host}:${port}`;
const answer = (message: ReceiveAnswer) => parentPort?.postMessage(message);

function start(task: ReceiveTask & { type: 'receive' }, mayReuse = true): void {
  const kept = mayReuse ? idle.get(keyOf(task.place))?.pop() : undefined;
  const connection = kept ?? open(task.place);
  const reader = createFrameReader({ ...task.expected, memory: task.memory }, connection.header);
  const { begin } = task.expected;
  const isKept = kept !== undefined;
  const transfer: Transfer = {
    task,
    reader,
    connection,
    isKept,
    end: begin,
    consumed: begin,
    arrivals: 0,
    isPaused: false,
  };
  connection.transfer = transfer;
  transfers.set(task.id, transfer);
  expectWithin(transfer, isKept ? task.silenceMs : task.connectMs);
  if (!kept) {
    connection.socket.once(task.place.tls ? 'secureConnect' : 'connect', () => {
      if (!transfer.isPaused) expectWithin(transfer, task.silenceMs);
    });
  }
  connection.socket.write(task.request);
}

function expectWithin(transfer: Transfer, ms: number): void {
  clearTimeout(transfer.timer);
  const timer = setTimeout(() => {
    const { arrivals } = transfer;
    // This process may itself have stood still: what came meanwhile is read before the next immediate.
    setImmediate(() => {
      if (transfer.arrivals > arrivals || transfer.timer !== timer) return;
      end(transfer, new FourfoldError('unavailable', `no data arrived for ${ms} ms`));
    });
  }, ms);
  transfer.timer = timer;
}

function open(place: Place): Connection {
  const header = new Uint8Array(headerBytes);
  const own: { connection?: Connection } = {};
  const onread: OnReadOpts = {
    // A socket asks for its first place when it is made.
    buffer: () => own.connection?.transfer?.reader.place() ?? header,
    callback: (count) => !!own.connection && receive(own.connection, count),
  };
  const { host, port, tls } = place;
  // Node.js documents `onread` for TLS, too; its types lack it.
  const secure: ConnectionOptions & { onread: OnReadOpts } = {
    host,
    port,
    ...tls,
    ALPNProtocols: [streamProtocol],
    onread,
  };
  const socket: Socket = tls ? connectTls(secure) : connectTcp({ host, port, onread });
  const connection: Connection = { socket, header };
  own.connection = connection;
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  let cause: Error | undefined;
  socket.on('error', (error) => {
    cause = error;
  });
  socket.on('close', () => closed(place, connection, cause));
  return connection;
}

function closed(place: Place, connection: Connection, cause: Error | undefined): void {
  const others = (idle.get(keyOf(place)) ?? []).filter((other) => other !== connection);
  idle.set(keyOf(place), others);
  const { transfer } = connection;
  if (!transfer) return;
  // The sender may have closed it since.
  if (transfer.isKept && transfer.arrivals === 0) {
    clearTimeout(transfer.timer);
    return start(transfer.task, false);
  }
  end(transfer, new FourfoldError('unavailable', 'the connection broke', { cause }));
}

/** Returns whether to go on reading. */
function receive(connection: Connection, count: number): boolean {
  const { transfer } = connection;
  if (!transfer) {
    connection.socket.destroy();
    return false;
  }
  transfer.arrivals++;
  if (!transfer.isPaused) transfer.timer?.refresh();
  try {
    const reached = transfer.reader.took(count);
    if (reached !== undefined) arrived(transfer, reached);
  } catch (error) {
    end(transfer, error as Error);
  }
  // A connection whose transfer is over goes on reading for the next one.
  const isOver = connection.transfer !== transfer;
  if (isOver || !isFull(transfer)) return true;
  transfer.isPaused = true;
  clearTimeout(transfer.timer);
  return false;
}

function arrived(transfer: Transfer, reached: number): void {
  const { id, expected, memory, isReported } = transfer.task;
  transfer.end = reached;
  if (isReported) {
    const header = isReused(transfer) ? undefined : transfer.connection.header.slice();
    answer({ type: 'reached', id, end: reached, header });
  }
  if (reached === expected.byteLength) end(transfer);
  // TLS may hand on more than was asked for.
  else if (isReused(transfer) && reached - transfer.consumed > memory.byteLength - frameBytes) {
    throw new Error('more has arrived than there is room for');
  }
}

/** Whether the memory is smaller than the vector. */
const isReused = ({ task: { expected, memory } }: Transfer): boolean =>
  memory.byteLength < expected.byteLength - expected.begin;

function isFull(transfer: Transfer): boolean {
  const { task, end, consumed } = transfer;
  return isReused(transfer) && end - consumed > task.memory.byteLength - frameBytes - slackBytes;
}

function consumed(transfer: Transfer, to: number): void {
  transfer.consumed = to;
  if (!transfer.isPaused || isFull(transfer)) return;
  transfer.isPaused = false;
  expectWithin(transfer, transfer.task.silenceMs);
  transfer.connection.socket.resume();
}

/** The vector is complete, or has failed. */
function end(transfer: Transfer, error?: Error): void {
  const { task, connection, arrivals } = transfer;
  if (transfers.get(task.id) !== transfer) return;
  transfers.delete(task.id);
  clearTimeout(transfer.timer);
  connection.transfer = undefined;
  // TLS may have handed on the rest after the pause.
  if (transfer.isPaused) connection.socket.resume();
  const key = keyOf(task.place);
  const { refusal, lost } = (error ?? {}) as Partial<Refusal>;
  if (!error || refusal) idle.set(key, [...(idle.get(key) ?? []), connection]);
  else connection.socket.destroy();
  const failure = error && {
    message: `${key}: ${describeError(error)}`,
    code: error instanceof FourfoldError ? error.code : undefined,
    ...{ refusal, lost },
    isUnanswered: arrivals === 0,
  };
  answer({ type: 'over', id: task.id, failure });
}

parentPort?.on('message', (task: ReceiveTask) => {
  if (task.type === 'receive') return start(task);
  if (task.type === 'forget') {
    for (const { socket } of idle.get(keyOf(task.place)) ?? []) socket.destroy();
    return void idle.delete(keyOf(task.place));
  }
  const transfer = transfers.get(task.id);
  if (!transfer) return;
  if (task.type === 'consumed') consumed(transfer, task.end);
  else end(transfer, new Error('the transfer was cancelled'));
});
