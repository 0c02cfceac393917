import type { IncomingMessage, ServerResponse } from 'node:http';
import { endWith } from '@fourfold/common';
import { scoresOf, statusNow, statusSnapshot, type StatusChange, type StatusSource } from './status.js';

const changesEveryMs = 400;
/** Every page gets an event at least this often: it takes silence for a lost connection. */
const aliveEveryMs = 5_000;
const maxWatchers = 100;
/** A watcher that does not read is cut off when this much waits for it; it reconnects for the newest state. */
const maxWaitingBytes = 4 * 1024 * 1024;

/**
 * Server-sent events for the pages that watch a run: first `snapshot` (StatusSnapshot), then `change` (StatusChange),
 * at most a few times a second. Changes are computed once for all watchers, and not at all while nobody watches. Its functions
 * are short, and share what was sent last.
 */
// eslint-disable-next-line max-lines-per-function -- short functions that share the listeners
export function createStatusEvents(source: StatusSource) {
  const watchers = new Set<ServerResponse>();
  let timer: NodeJS.Timeout | undefined;
  let sent = { now: '', pictures: '', rows: 0, evaluations: 0 };
  let lastSentMs = 0;

  function write(watcher: ServerResponse, text: string): void {
    if (watcher.writableLength > maxWaitingBytes) watcher.destroy();
    else watcher.write(text);
  }

  /** Send all watchers what has changed since the last time. */
  function sendChanges(): void {
    const { rows, evaluations } = source.history();
    const now = statusNow(source);
    const pictures = source.pictures();
    const next = {
      now: JSON.stringify(now),
      pictures: JSON.stringify(pictures),
      rows: rows.length,
      evaluations: evaluations.length,
    };
    const nowMs = performance.now();
    const same = JSON.stringify(next) === JSON.stringify(sent);
    if (same && nowMs - lastSentMs < aliveEveryMs) return;
    const change: StatusChange = {
      sentAtMs: Date.now(),
      now,
      rows: rows.slice(sent.rows),
      evaluations: evaluations.slice(sent.evaluations).map(scoresOf),
      ...(next.pictures !== sent.pictures && { pictures }),
    };
    sent = next;
    lastSentMs = nowMs;
    for (const watcher of watchers) write(watcher, event('change', change));
  }

  return {
    /** The route. */
    watch: (request: IncomingMessage, response: ServerResponse): void => {
      if (watchers.size >= maxWatchers) return endWith(response, 503, `${maxWatchers} pages are already watching`);
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        // Proxies such as nginx would hold the events back.
        'x-accel-buffering': 'no',
      });
      if (request.method === 'HEAD') return void response.end();
      // Now everyone is up to date: from here on all get the same changes.
      sendChanges();
      write(response, event('snapshot', statusSnapshot(source)));
      watchers.add(response);
      timer ??= setInterval(sendChanges, changesEveryMs);
      response.once('close', () => {
        watchers.delete(response);
        if (watchers.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
    },
    /** Send the last changes and end all streams. */
    close: (): void => {
      if (watchers.size > 0) sendChanges();
      for (const watcher of watchers) watcher.end();
      watchers.clear();
      clearInterval(timer);
    },
  };
}

/** JSON has no line breaks, which would end an event's data. */
const event = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
