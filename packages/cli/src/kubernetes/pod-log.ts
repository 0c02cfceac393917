import { finished, PassThrough, type Readable } from 'node:stream';
import type { KubeConfig, LogOptions, V1Pod } from '@kubernetes/client-node';
import { Log } from './client.js';

/**
 * Opens the log of a pod's container. The stream breaks off with an error when the connection does, or when `signal` aborts. Rejects
 * with the API server's answer.
 */
export type OpenPodLog = (pod: V1Pod, options: LogOptions, signal: AbortSignal) => Promise<Readable>;

export function createOpenPodLog(kubeConfig: KubeConfig): OpenPodLog {
  const log = new Log(kubeConfig);
  return async ({ metadata, spec }, options, signal) => {
    const text = new PassThrough();
    // A pipe does not pass errors on.
    text.once('pipe', (source: Readable) => finished(source, (error) => error && text.destroy(error)));
    const { namespace = '', name = '' } = metadata ?? {};
    const controller = await log.log(namespace, name, spec?.containers[0].name ?? '', text, options);
    const stop = () => controller.abort();
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    text.once('close', () => signal.removeEventListener('abort', stop));
    return text;
  };
}
