import { mkdir, open, readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { eventRecord, type EventContent } from './event-file.js';
import { createEventWriter } from './event-writer.js';
import { figuresOf, type NewHistory, type ReportTarget } from './figures.js';

export interface TensorboardOptions {
  /** TensorBoard's log folder; the run's event files are in a folder of its name below. */
  folder: string;
  run: string;
  /** Iterations that are done. */
  iteration: number;
  /** The run's history so far; it is written unless an earlier event file has it. */
  history: NewHistory;
}

const prefix = 'events.out.tfevents.';
/** Files that this process has opened. */
let opened = 0;

/** Write a run's figures to an event file of its own. Existing files stay. */
export async function openTensorboard({ folder, run, iteration, history }: TensorboardOptions): Promise<ReportTarget> {
  const place = join(folder, run);
  await mkdir(place, { recursive: true });
  const isResumed = (await readdir(place)).some((name) => name.startsWith(prefix));
  // TensorBoard reads a folder's files in the order of their names.
  const seconds = (Date.now() / 1000).toFixed(3).padStart(14, '0');
  const name = `${prefix}${seconds}.${hostname()}.${process.pid}.${opened++}`;
  const file = createEventWriter(await open(join(place, name), 'wx'));
  const write = (events: { step: number; content: EventContent }[]) => {
    const wallTimeSeconds = Date.now() / 1000;
    return file.write(events.map((event) => eventRecord({ wallTimeSeconds, ...event })));
  };
  const add = (news: NewHistory) =>
    write(figuresOf(news).map(({ iteration: step, values }) => ({ step, content: { scalars: values } })));
  try {
    await write([{ step: 0, content: { fileVersion: 'brain.Event:2' } }]);
    if (isResumed) await write([{ step: iteration + 1, content: { restart: true } }]);
    else await add(history);
  } catch (error) {
    await file.close();
    throw error;
  }
  return { add, close: () => file.close() };
}
