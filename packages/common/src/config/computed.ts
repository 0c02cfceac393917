import { configDifferences } from './differences.js';
import type { RunConfig } from './schema.js';

/*
 * The keys that decide what a worker computes of a batch, and what batch it is. A coordinator and its workers must agree on them; on
 * others, such as cache folders, machines may differ.
 */

/** These keys of a config, as JSON. */
export function computedKeys(config: RunConfig): string {
  const { seed, generator, discriminator, data, loss, phases, frozenBatchNorm, validation } = config;
  // JSON leaves out what is undefined.
  const ofBatches = { ...data, cacheFolder: undefined, cacheBytes: undefined };
  const kinds = phases.map(({ kind }) => ({ kind }));
  const measured = validation && { lpips: validation.lpips };
  return JSON.stringify({
    seed,
    generator,
    discriminator,
    data: ofBatches,
    loss,
    phases: kinds,
    frozenBatchNorm,
    validation: measured,
  });
}

const mostListed = 4;
const longestValue = 40;

/**
 * What differs between the keys of a coordinator and those that a worker sent: `loss.adversarialWeight (0.001 and 0.005)`; undefined if
 * nothing does. A text that is no JSON differs as a whole.
 */
export function computedDifference(own: string, sent: string): string | undefined {
  if (own === sent) return undefined;
  const differences = configDifferences(JSON.parse(own), parsed(sent));
  if (differences.length === 0) return undefined;
  const listed = differences
    .slice(0, mostListed)
    .map(({ key, before, after }) => `${cut(key) || 'all keys'} (${shown(before)} and ${shown(after)})`);
  const more = differences.length - listed.length;
  return `${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const shown = (value: unknown): string => (value === undefined ? 'none' : cut(JSON.stringify(value)));

const cut = (text: string): string => (text.length > longestValue ? `${text.slice(0, longestValue - 1)}…` : text);
