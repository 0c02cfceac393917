import { createLogger, logAbout, parseAddress, type RunConfig } from '@fourfold/common';
import { createKeeper, type PartPlan } from './keeper.js';

/** How long workers may take to stop: less than a pod's grace period of 30 s. */
const stopMs = 20_000;

/** Where a worker listens, and which coordinator it serves. */
export interface WorkerPlaces {
  listen: string;
  advertise?: string;
  http?: string;
  coordinator?: string;
}

/**
 * Run a worker for each of `gpus` GPUs as child processes, until the run ends: a pod of one node. A worker that dies, or no longer answers
 * `/healthz`, is started again. Rejects with the reason if no worker of them can do better, and with the signal's reason after a stop.
 */
export async function runWorkerPerGpu(
  gpus: number,
  { config, signal, ...places }: WorkerPlaces & { config: RunConfig; signal: AbortSignal },
): Promise<void> {
  logAbout({ run: config.name });
  const log = createLogger('worker');
  const keeper = createKeeper({
    logFile: process.stderr,
    note: (text) => log.info({ event: 'workers' }, text),
    signal,
  });
  const input = JSON.stringify(config);
  const plans = Array.from({ length: gpus }, (_, gpu): PartPlan => {
    const own = placesOf(places, gpu);
    return {
      role: 'worker',
      name: `worker of GPU ${gpu}`,
      args: () => [
        ...['--config', '-', '--listen', own.listen],
        ...option('--advertise', own.advertise),
        ...option('--http', own.http),
        ...option('--coordinator', own.coordinator),
      ],
      environment: { CUDA_VISIBLE_DEVICES: visibleDevice(process.env['CUDA_VISIBLE_DEVICES'], gpu) },
      input,
      ...(own.http !== undefined && { healthz: healthzOf(own.http) }),
      // What happens to its leases from here on is the coordinator's to judge.
      onLog: ({ event }) => event === 'joined' && keeper.progressed(),
    };
  });
  const stop = () => keeper.stop(stopMs);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.all(plans.map((plan) => keeper.keep(plan)));
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', stop);
    await keeper.end(stopMs);
  }
}

const option = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [name, value]);

/** The places of the worker of a GPU: the ports follow those of the first, whose port 0 remains any. */
export function placesOf({ listen, advertise, http, coordinator }: WorkerPlaces, gpu: number): WorkerPlaces {
  return {
    listen: plusPort(listen, gpu),
    ...(advertise !== undefined && { advertise: plusPort(advertise, gpu) }),
    ...(http !== undefined && { http: plusPort(http, gpu) }),
    ...(coordinator !== undefined && { coordinator }),
  };
}

const plusPort = (address: string, more: number): string =>
  address.replace(/\d+$/, (port) => (port === '0' ? port : String(Number(port) + more)));

/** The device that the worker of a GPU sees, where this process sees all, or those of a list. */
export const visibleDevice = (all: string | undefined, gpu: number): string => all?.split(',')[gpu] ?? String(gpu);

/** Where a process asks another of the same machine; undefined where the port is any. */
function healthzOf(http: string): string | undefined {
  const { host, port } = parseAddress(http) ?? { host: '', port: 0 };
  if (port === 0) return undefined;
  return `http://${host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${port}/healthz`;
}
