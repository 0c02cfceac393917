import type { V1Pod } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import { z } from 'zod';
import type { TrainingStatus } from '../train/status-line.js';
import type { GetFromPod } from './pod-http.js';

const deadlineMs = 3_000;

/** The keys of a coordinator's `/status.json` that are shown here. A NaN or infinite figure is null there. */
const snapshot = z.object({
  now: z.object({
    state: z.string(),
    phase: z.number(),
    phaseKind: z.string(),
    iteration: z.number(),
    iterations: z.number(),
    iterationsPerSecond: z.number(),
    losses: z.record(z.string(), z.number().nullable()),
    workers: z.array(z.unknown()),
  }),
  history: z.object({
    evaluations: z.array(
      z.object({ iteration: z.number(), psnr: z.number().nullable(), bicubicPsnr: z.number().optional() }),
    ),
  }),
});

/** Where training stands, from the coordinator's status page. Rejects with `unavailable`, after some seconds at the latest. */
export async function readTraining(getFromPod: GetFromPod, coordinator: V1Pod): Promise<TrainingStatus> {
  const { data, error } = snapshot.safeParse(await getFromPod(coordinator, '/status.json', deadlineMs));
  if (error) throw new FourfoldError('unavailable', 'its status page has a different version', { cause: error });
  const { now, history } = data;
  const losses = Object.entries(now.losses).map(([name, value]) => [name, value ?? NaN]);
  const newest = history.evaluations.at(-1);
  return {
    ...now,
    losses: Object.fromEntries(losses) as Record<string, number>,
    workers: now.workers.length,
    ...(newest && { psnr: newest.psnr ?? NaN, bicubicPsnr: newest.bicubicPsnr }),
    evaluatedIteration: newest?.iteration ?? 0,
  };
}
