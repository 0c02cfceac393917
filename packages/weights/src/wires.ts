import { createDeltaLayout, type DeltaLayout } from './delta-layout.js';
import { createWireLayout, withoutFactors, type WireLayout, type WirePart } from './wire-layout.js';
import type { Network, RunConfig } from '@fourfold/common';
import { discriminatorLayout } from './discriminator-layout.js';
import { factoredLayout, generatorLayout, wideWeights, type Layout } from './layout.js';

/** How a network's vectors cross the wire. */
export interface NetworkWires {
  /** Its parameters and running averages, whole. */
  parameters: WireLayout;
  /** What an update adds to them, where that crosses in their place. */
  deltas?: DeltaLayout;
  /** A replica's gradient and batch statistics. */
  gradients: WireLayout;
  /** A sum of gradients on its way along a chain, without the weights whose gradients are factors: these do not pass along it. */
  sums: WireLayout;
  /** The tensors of a worker's gradient vector: the layout's own, or factors in the place of a weight. */
  gradientLayout: Layout;
}

/** The weights whose gradients workers leave as factors, as the config says. */
export const factoredWeights = ({ exchange }: Pick<RunConfig, 'exchange'>): ReadonlySet<string> =>
  exchange.denseGradient === 'factors' ? wideWeights : new Set();

/** How the networks of a run cross the wire, on which a worker and its coordinator must agree: a function of the config. */
export function networkWires(config: RunConfig): Record<Network, NetworkWires> {
  const { exchange, data } = config;
  const generator = generatorLayout(config.generator);
  const discriminator = discriminatorLayout(config.discriminator, data.crop);
  // Real crops and generated ones.
  const rows = (2 * data.globalBatch) / data.replicas;
  const factored = factoredWeights(config);
  return {
    generator: wiresOf(generator, generator, exchange, rows, new Set()),
    discriminator: wiresOf(discriminator, factoredLayout(discriminator, factored, rows), exchange, rows, factored),
  };
}

function wiresOf(
  layout: Layout,
  gradientLayout: Layout,
  { parameters, gradients, sums }: RunConfig['exchange'],
  rows: number,
  factored: ReadonlySet<string>,
): NetworkWires {
  const parts = (encoding: 'f32' | 'bf16', isFactored: (name: string) => boolean) =>
    layout.tensors.map(({ name, kind, shape, sizeElements }): WirePart => {
      if (isFactored(name)) return { encoding: 'factors', factors: { rows, inputs: shape[0], outputs: shape[1] } };
      // Averages and variances are few, and small differences in them matter.
      return { encoding: kind === 'statistic' ? 'f32' : encoding, count: sizeElements };
    });
  return {
    parameters: createWireLayout(parts(parameters === 'bf16' ? 'bf16' : 'f32', () => false)),
    ...(parameters === 'int8' && { deltas: createDeltaLayout(layout) }),
    gradients: createWireLayout(parts(gradients, (name) => factored.has(name))),
    sums: withoutFactors(createWireLayout(parts(sums, (name) => factored.has(name)))),
    gradientLayout,
  };
}
