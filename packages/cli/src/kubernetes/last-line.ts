import type { V1Pod } from '@kubernetes/client-node';
import { withDeadline } from '@fourfold/common';
import type { ClusterApi } from './cluster-api.js';

const deadlineMs = 3_000;

/** The last line that the newest of a Job's pods has logged; undefined before the first, and if the log cannot be read. */
export async function lastLine(api: Pick<ClusterApi, 'openLog'>, pods: readonly V1Pod[]): Promise<string | undefined> {
  const startMs = ({ status }: V1Pod) => Number(status?.startTime ?? 0);
  const newest = pods
    .filter(({ status }) => status?.phase !== 'Pending')
    .sort((a, b) => startMs(a) - startMs(b))
    .at(-1);
  if (!newest) return undefined;
  const stop = new AbortController();
  const read = async () => {
    const log = await api.openLog(newest, { tailLines: 1 }, stop.signal);
    let text = '';
    for await (const chunk of log.setEncoding('utf8')) text += String(chunk);
    return text.trim() || undefined;
  };
  try {
    // A log that does not answer may not heed the signal either.
    return await withDeadline(read(), deadlineMs, () => undefined);
  } catch {
    // The line is an extra: the status is told without it, whether the API server refused or the connection broke.
    return undefined;
  } finally {
    stop.abort();
  }
}
