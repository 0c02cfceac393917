import type { V1Pod } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
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
  try {
    const log = await api.openLog(newest, { tailLines: 1 }, AbortSignal.timeout(deadlineMs));
    let text = '';
    for await (const chunk of log.setEncoding('utf8')) text += String(chunk);
    return text.trim() || undefined;
  } catch (error) {
    const hasAnswer = error instanceof FourfoldError || (error instanceof Error && error.name === 'TimeoutError');
    if (hasAnswer) return undefined;
    throw error;
  }
}
