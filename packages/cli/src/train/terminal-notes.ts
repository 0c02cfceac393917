import type { LogLine } from './child.js';

/*
 * Which lines of the parts' logs a person at the terminal wants to read. The log file has all of them.
 */

const pinoWarn = 40;

/** Outages by the event that reports one, and the event that ends it. */
const outages: Readonly<Record<string, string>> = { 'nats-waiting': 'nats-back', 'store-waiting': 'store-back' };
const outageOf = new Map(Object.entries(outages).map(([waiting, back]) => [back, waiting]));

/** A report of an outage that began this long after the last report is of another one. */
const silenceMs = 60_000;

/** What is reported and is nobody's concern: a straggler's result that comes after another worker's. */
const ordinary = new Set(['refused']);
/** What follows from a stop that was asked for. */
const ofStopping = new Set(['worker-lost', 'run-ended']);

export interface TerminalNotes {
  /** The line to show for a log line of the part `name`; undefined for none. */
  noteOf(name: string, line: LogLine): string | undefined;
}

/** `isStopping` says whether the user has asked for the end. */
export function createTerminalNotes(isStopping: () => boolean, now: () => number = Date.now): TerminalNotes {
  /** Outages that have been shown, and when each was last reported. */
  const reportedAtMs = new Map<string, number>();
  /** When the end of an outage was last reported. */
  const backAtMs = new Map<string, number>();

  /** Several parts report the same outage; one line for its beginning and one for its end are enough. */
  function ofOutage(event: string, { msg, reason, waitedMs }: LogLine): string | undefined {
    const ended = outageOf.get(event);
    if (ended !== undefined) {
      backAtMs.set(ended, now());
      return reportedAtMs.delete(ended) ? msg : undefined;
    }
    // A report that crosses the end is of the outage that is over.
    const begunMs = now() - Number(waitedMs ?? 0);
    if (begunMs < (backAtMs.get(event) ?? -Infinity)) return undefined;
    // The end of the outage before may not have been seen: the part that waited was restarted.
    const isShown = begunMs <= (reportedAtMs.get(event) ?? -Infinity) + silenceMs;
    reportedAtMs.set(event, now());
    if (isShown) return undefined;
    return withReason(msg, reason);
  }

  return {
    noteOf(name, line) {
      const { event = '', level, msg, reason } = line;
      if (isStopping() && (!name.startsWith('coordinator') || ofStopping.has(event))) return undefined;
      if (event in outages || outageOf.has(event)) return ofOutage(event, line);
      if (level < pinoWarn || ordinary.has(event)) return undefined;
      return `${name}: ${withReason(msg, reason)}`;
    },
  };
}

const withReason = (text: string, reason: string | undefined): string => (reason ? `${text} (${reason})` : text);
