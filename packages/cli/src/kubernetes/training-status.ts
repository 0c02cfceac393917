import type { V1Pod } from '@kubernetes/client-node';
import { FourfoldError } from '@fourfold/common';
import { z } from '@fourfold/common/zod';
import type { TrainingStatus } from '../train/status-line.js';
import type { GetFromPod } from './pod-http.js';

const deadlineMs = 3_000;

/** A NaN or infinite PSNR is null. */
const evaluation = z.object({
  iteration: z.number(),
  psnr: z.number().nullable(),
  bicubicPsnr: z.number().optional(),
  lpips: z.number().optional(),
  bicubicLpips: z.number().optional(),
});

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
    evaluations: z.array(evaluation),
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
    evaluatedIteration: newest?.iteration ?? 0,
    ...(newest && scoresOf(newest)),
  };
}

/** The scores of an evaluation, as the line has them. */
const scoresOf = ({ psnr, bicubicPsnr, lpips, bicubicLpips }: z.infer<typeof evaluation>) => ({
  psnr: psnr ?? NaN,
  bicubicPsnr,
  lpips,
  bicubicLpips,
});
