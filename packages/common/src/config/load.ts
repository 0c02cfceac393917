import type { z } from '@fourfold/common/zod';
import { FourfoldError } from '../errors/errors.js';
import { expandHome } from '../files/home.js';
import { absoluteStoreUrl } from '../files/store-url.js';
import { problemsOf, type Problem } from './issues.js';
import { problemsOfLoss } from './loss-problems.js';
import { loadYaml, readYaml, withRecipes } from './recipes.js';
import { runSchema, type RunConfig } from './schema.js';
import { applySetting, asGiven, blamed, keyOf, type Setting } from './settings.js';

/**
 * Read a run's config from a file, or from standard input if `path` is `-`. The file's keys override those of its `recipe` (and that
 * recipe's own `recipe`), and `settings` (`key.path=value`, values in YAML; null removes the key) override both. Throws `invalid` with all
 * problems: each names the file, the setting or the option, the key, its value and the allowed values.
 */
export async function loadRunConfig(path: string, settings: readonly Setting[] = []): Promise<RunConfig> {
  // Without settings there is nothing to parse.
  const parse = settings.length > 0 ? (await loadYaml()).parse : JSON.parse;
  const source = configSource(path);
  const own = await readYaml(path, source);
  const isRecipe = (setting: Setting) => keyOf(setting) === 'recipe';
  const recipe = settings.findLast(isRecipe);
  if (recipe !== undefined) applySetting(own, recipe, parse);
  const tree = await withRecipes(own, recipe === undefined ? source : asGiven(recipe));
  for (const setting of settings.filter((given) => !isRecipe(given))) applySetting(tree, setting, parse);
  return parseRunConfig(tree, source, settings);
}

/** The name of a config's file in messages. */
export const configSource = (path: string): string => (path === '-' ? 'standard input' : path);

/** Check a config from another source, such as a checkpoint; `source` names it in errors, and `settings` are already in it. */
export function parseRunConfig(raw: unknown, source: string, settings: readonly Setting[] = []): RunConfig {
  const parsed = runSchema.safeParse(raw);
  if (!parsed.success) throw refusal(problemsOf(runSchema, raw, parsed.error.issues), source, settings);
  const config = { ...parsed.data, ...schedule(parsed.data) };
  const problems = inconsistencies(config);
  if (problems.length > 0) throw refusal(problems, source, settings);
  const { data, exchange, startFrom, discriminatorFrom } = config;
  return {
    ...config,
    ...(data.cacheFolder && { data: { ...data, cacheFolder: expandHome(data.cacheFolder) } }),
    exchange: { ...exchange, folder: expandHome(exchange.folder) },
    ...(startFrom?.includes('/') && { startFrom: absoluteStoreUrl(startFrom) }),
    ...(discriminatorFrom?.includes('/') && { discriminatorFrom: absoluteStoreUrl(discriminatorFrom) }),
    store: absoluteStoreUrl(config.store),
    dataset: absoluteStoreUrl(config.dataset),
    ...(config.vgg && { vgg: absoluteStoreUrl(config.vgg) }),
    ...(config.validation && {
      validation: {
        ...config.validation,
        images: absoluteStoreUrl(config.validation.images),
        ...(config.validation.lpipsWeights && { lpipsWeights: absoluteStoreUrl(config.validation.lpipsWeights) }),
      },
    }),
  };
}

/** The phases to run, scaled. Parsing the result again changes nothing. */
function schedule({ phases, scheduleScale, startFrom }: RunConfig): Pick<RunConfig, 'phases' | 'scheduleScale'> {
  const begin = startFrom === undefined ? 0 : phases.findIndex(({ kind }) => kind !== 'mse');
  return {
    // A schedule with only mse phases continues training that generator.
    phases: phases.slice(Math.max(0, begin)).map((phase) => ({
      ...phase,
      iterations: Math.max(1, Math.round(phase.iterations * scheduleScale)),
    })),
    scheduleScale: 1,
  };
}

/** Problems between keys. */
function inconsistencies(config: z.infer<typeof runSchema>): Problem[] {
  const { checkpoints, data, discriminatorFrom, exchange, phases, timing, validation } = config;
  const problems: Problem[] = [];
  const refuse = (key: string, value: unknown, reason: string, ...others: string[]) =>
    problems.push({ key, found: `is ${String(value)}`, reason, others });
  if (data.globalBatch % data.replicas !== 0) {
    const reason = `it must be a multiple of data.replicas, ${data.replicas}`;
    refuse('data.globalBatch', data.globalBatch, reason, 'data.replicas');
  }
  problems.push(...problemsOfLoss(config));
  for (const [i, { kind, discriminatorLearningRate: rate }] of phases.entries()) {
    if (kind === 'gan' || rate === undefined) continue;
    refuse(`phases.${i}.discriminatorLearningRate`, rate, `a phase of kind ${kind} trains no discriminator; omit it`);
  }
  if (discriminatorFrom !== undefined && !phases.some(({ kind }) => kind === 'gan')) {
    refuse('discriminatorFrom', discriminatorFrom, 'no phase trains a discriminator; omit it, or add a gan phase');
  }
  if (exchange.route === 'chain' && !['auto', 'stream'].includes(exchange.transport)) {
    const reason = 'sums pass on the bulk stream alone; set exchange.transport to auto or stream';
    refuse('exchange.route', exchange.route, reason, 'exchange.transport');
  }
  if (checkpoints.bestBy === 'lpips' && validation && !validation.lpips) {
    refuse('checkpoints.bestBy', checkpoints.bestBy, 'it needs validation.lpips, alex or vgg', 'validation.lpips');
  }
  if (timing.heartbeatMs > timing.silenceMs / 2) {
    const reason = `it must be at most half of timing.silenceMs, ${timing.silenceMs}, or live peers count as lost`;
    refuse('timing.heartbeatMs', timing.heartbeatMs, reason, 'timing.silenceMs');
  }
  return problems;
}

/** All problems on one line, those of one place together. */
function refusal(problems: readonly Problem[], source: string, settings: readonly Setting[]): FourfoldError {
  const texts = new Map<string, string[]>();
  for (const { key, found, reason, others = [] } of problems) {
    const setting = [key, ...others].map((each) => blamed(each, settings)).find((each) => each !== undefined);
    const place = setting ? asGiven(setting) : source;
    // `--set data.crop=40` has named the key and its value.
    const text = setting && keyOf(setting) === key && found !== 'is not a key' ? reason : `${key} ${found}: ${reason}`;
    texts.set(place, [...(texts.get(place) ?? []), text]);
  }
  return new FourfoldError('invalid', [...texts].map(([place, all]) => `${place}: ${all.join('; ')}`).join('; '));
}
