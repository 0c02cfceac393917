import type { ExchangeConfig } from '@fourfold/common';
import type { WireFormats, WireFormats__Output } from '../generated/fourfold/v1/WireFormats.js';

type Formats = Pick<ExchangeConfig, 'gradients' | 'sums' | 'parameters' | 'denseGradient'>;

const encodings = { f32: 'F32', bf16: 'BF16', int8: 'INT8' } as const;
const denseGradients = { matrix: 'MATRIX', factors: 'FACTORS' } as const;

/** The formats that a process was started with, as sent in Register. */
export const wireFormats = ({ gradients, sums, parameters, denseGradient }: Formats) =>
  ({
    gradients: encodings[gradients],
    sums: encodings[sums],
    parameters: encodings[parameters],
    denseGradient: denseGradients[denseGradient],
  }) satisfies WireFormats;

/** Why a worker with these formats cannot exchange with a coordinator of `config`: each would misread the other’s bytes. */
export function formatsProblem(config: Formats, worker: WireFormats__Output | null): string | undefined {
  const own = wireFormats(config);
  const differing = (['gradients', 'sums', 'parameters', 'denseGradient'] as const).filter(
    (key) => worker?.[key] !== own[key],
  );
  if (differing.length === 0) return undefined;
  const inWords = (formats: WireFormats | null) =>
    differing.map((key) => `exchange.${key} ${formats?.[key]?.toString().toLowerCase() ?? 'unknown'}`).join(', ');
  return `the worker was started with ${inWords(worker)}, this coordinator with ${inWords(own)}: give both the same config`;
}
