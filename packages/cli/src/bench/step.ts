import { availableParallelism } from 'node:os';
import { contentFeatures, randomStream, type RunConfig, type Network } from '@fourfold/common';
import { addGradient, createMaster, type Master } from '@fourfold/coordinator';
import type { BackendInfo, CropBatch } from '@fourfold/model';
import { contentLayout, initialVector, safetensorsFromVector } from '@fourfold/weights';
import { sharedVector, startComputeThread, type Compute } from '@fourfold/worker';
import { createLaps, summarize, type Laps, type Timing } from './laps.js';

export type BenchPhase = 'mse' | 'gan';

export interface StepBench {
  /**
   * Gives the sizes of networks and batch, replicas, losses, backend and its threads (0: the machine's cores). Phases, dataset
   * and VGG weights are ignored.
   */
  config: RunConfig;
  phases: readonly BenchPhase[];
  steps: number;
  warmup: number;
}

export interface PhaseTiming extends Timing {
  phase: BenchPhase;
  samplesPerSecond: number;
  /** The process's peak resident memory so far, earlier phases included. */
  peakMemoryBytes: number;
}

export interface StepReport {
  kind: BackendInfo;
  timings: PhaseTiming[];
}

const learningRate = 1e-4;
const halves: Record<BenchPhase, Network[]> = { mse: ['generator'], gan: ['discriminator', 'generator'] };

/**
 * Time whole iterations on one random batch without any exchange: the worker's compute thread for the gradients, the
 * coordinator's master for reduction and Adam. Replicas are computed one after another; VGG19 has random weights.
 */
export async function benchStep({ config, phases, steps, warmup }: StepBench): Promise<StepReport> {
  const choice = { ...config.workers, threads: config.workers.threads || availableParallelism() };
  let kind: BackendInfo | undefined;
  const timings: PhaseTiming[] = [];
  for (const phase of phases) {
    const run: RunConfig = {
      ...config,
      phases: [{ kind: phase, iterations: warmup + steps, learningRate, decay: 'constant' }],
      // Nothing is exchanged.
      exchange: { ...config.exchange, gradients: 'f32', sums: 'f32', parameters: 'f32', denseGradient: 'matrix' },
    };
    const { compute, close } = startComputeThread();
    const master = createMaster(run);
    try {
      kind = await compute.start(run, choice, phase === 'gan' ? randomVgg(run) : undefined);
      const laps = createLaps(() => performance.now());
      await iterate(compute, master, run, laps);
      const timing = summarize(laps.iterations.slice(warmup));
      timings.push({
        phase,
        ...timing,
        samplesPerSecond: (run.data.globalBatch * 1000) / timing.medianMs,
        peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      });
    } finally {
      await close();
      await master.close();
    }
  }
  return { kind: kind as BackendInfo, timings };
}

async function iterate(compute: Compute, master: Master, run: RunConfig, laps: Laps): Promise<void> {
  const [{ kind, iterations }] = run.phases;
  const { replicas } = run.data;
  const batches = Array.from({ length: replicas }, (_, replica) => randomBatch(run, replica));
  const gradients = {} as Record<Network, Float32Array>;
  for (const network of master.networks) {
    gradients[network] = sharedVector(master.layout(network).length);
    await compute.setParameters(network, master.state(network).vector);
  }
  laps.start();
  for (let iteration = 0; iteration < iterations; iteration++) {
    for (const network of halves[kind as BenchPhase]) {
      const gradient = gradients[network];
      for (const [replica, batch] of batches.entries()) {
        const place = { iteration, replica, phase: 0 };
        if (network === 'discriminator') {
          await compute.discriminatorHalf(place, batch, gradient);
        } else {
          if (kind === 'gan') {
            await compute.prepareContent(place);
            laps.lap('content');
          }
          await compute.generatorHalf(place, batch, gradient);
        }
        laps.lap(network);
        addGradient(master, network, gradient, replica === 0);
        laps.lap('update');
      }
      await master.update(network, learningRate);
      laps.lap('update');
      await compute.setParameters(network, master.state(network).vector);
      laps.lap('parameters');
    }
    laps.endIteration();
  }
}

function randomBatch({ seed, data }: RunConfig, replica: number): CropBatch {
  const { crop } = data;
  const count = data.globalBatch / data.replicas;
  const random = randomStream('bench', seed, replica);
  const pixels = (side: number) => Uint8Array.from({ length: count * side * side * 3 }, () => random.below(256));
  return { count, crop, hr: pixels(crop), lr: pixels(crop / 4) };
}

/** A feature network's weights file with random weights, if the content loss needs one. */
export function randomVgg({ loss, seed }: RunConfig): Uint8Array | undefined {
  const features = contentFeatures(loss);
  if (!features) return undefined;
  const layout = contentLayout(features);
  return safetensorsFromVector(layout, initialVector(layout, seed), {});
}
