import type { z } from 'zod';
import { FourfoldError } from '../errors/errors.js';
import { readGivenFile, readStandardInput } from '../files/given-file.js';
import { expandHome } from '../files/home.js';
import { absoluteStoreUrl } from '../files/store-url.js';
import { describeIssue } from './issues.js';
import { runSchema, type RunConfig } from './schema.js';
import { isTree, type Tree } from './tree.js';

/** YAML's parser, which only commands that read a config need. */
const loadYaml = () => import('yaml');

const recipesFolder = new URL('../../recipes/', import.meta.url);

/**
 * Read a run's config from a file, or from standard input if `path` is `-`. The file's keys override those of its `recipe` (and that
 * recipe's own `recipe`), and `settings` (`key.path=value`, values in YAML; null removes the key) override both. Throws `invalid` naming
 * the key, its value and the allowed values.
 */
export async function loadRunConfig(path: string, settings: readonly string[] = []): Promise<RunConfig> {
  const tree = await withRecipes(await readYaml(path, path), path);
  const { parse } = await loadYaml();
  for (const setting of settings) applySetting(tree, setting, parse);
  return parseRunConfig(tree, path);
}

/** Check a config from another source, such as a checkpoint; `source` names it in errors. */
export function parseRunConfig(raw: unknown, source: string): RunConfig {
  const parsed = runSchema.safeParse(raw);
  if (!parsed.success) {
    throw new FourfoldError('invalid', `${source}: ${describeIssue(runSchema, raw, parsed.error.issues[0])}`);
  }
  const config = { ...parsed.data, ...schedule(parsed.data) };
  const problem = inconsistency(config);
  if (problem) throw new FourfoldError('invalid', `${source}: ${problem}`);
  const { data, exchange, startFrom } = config;
  return {
    ...config,
    ...(data.cacheFolder && { data: { ...data, cacheFolder: expandHome(data.cacheFolder) } }),
    exchange: { ...exchange, folder: expandHome(exchange.folder) },
    ...(startFrom?.includes('/') && { startFrom: absoluteStoreUrl(startFrom) }),
    store: absoluteStoreUrl(config.store),
    dataset: absoluteStoreUrl(config.dataset),
    ...(config.vgg && { vgg: absoluteStoreUrl(config.vgg) }),
    ...(config.validation && {
      validation: { ...config.validation, images: absoluteStoreUrl(config.validation.images) },
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

/** A problem between keys. */
function inconsistency({ data, loss, phases, timing, vgg }: z.infer<typeof runSchema>): string | undefined {
  if (data.globalBatch % data.replicas !== 0) {
    return `data.globalBatch is ${data.globalBatch}: it must be a multiple of data.replicas, ${data.replicas}`;
  }
  const usesVgg = loss.content !== 'mse' && phases.some((phase) => phase.kind !== 'mse');
  if (usesVgg && !vgg) {
    return `loss.content is ${loss.content}: it needs VGG19 weights; set vgg to a safetensors file, or loss.content to mse`;
  }
  if (timing.heartbeatMs > timing.silenceMs / 2) {
    return `timing.heartbeatMs is ${timing.heartbeatMs}: it must be at most half of timing.silenceMs, ${timing.silenceMs}, or live peers count as lost`;
  }
  return undefined;
}

async function withRecipes(own: Tree, source: string): Promise<Tree> {
  const { recipe, ...rest } = own;
  if (recipe === undefined) return rest;
  if (typeof recipe !== 'string' || !/^[a-z0-9-]+$/.test(recipe)) {
    throw new FourfoldError(
      'invalid',
      `${source}: recipe is ${JSON.stringify(recipe)}: it must be the name of a recipe`,
    );
  }
  const base = await readYaml(new URL(`${recipe}.yaml`, recipesFolder), `recipe ${recipe}`);
  return merge(await withRecipes(base, `recipe ${recipe}`), rest);
}

async function readYaml(path: string | URL, name: string): Promise<Tree> {
  const { parse, YAMLParseError } = await loadYaml();
  try {
    const bytes = path === '-' ? await readStandardInput() : await readGivenFile(path, name);
    const tree: unknown = parse(bytes.toString('utf8'));
    if (!isTree(tree)) throw new FourfoldError('invalid', `${name} holds no keys`);
    return tree;
  } catch (cause) {
    if (cause instanceof YAMLParseError) {
      throw new FourfoldError('invalid', `${name} is not YAML: ${cause.message.split('\n')[0]}`);
    }
    throw cause;
  }
}

/** Set a key of a config that is not yet checked: `key.path=value`, the value in YAML, which `parse` reads; null removes the key. */
export function applySetting(tree: Tree, setting: string, parse: (yaml: string) => unknown): void {
  const [, path, value] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
  if (!path) {
    throw new FourfoldError('invalid', `--set ${setting}: it must look like key=value, such as data.replicas=2`);
  }
  const keys = path.split('.');
  const leaf = keys.pop() as string;
  let node: Tree = tree;
  for (const key of keys) {
    const next = node[key];
    node = (isTree(next) || Array.isArray(next) ? next : (node[key] = {})) as Tree;
  }
  const parsed: unknown = parse(value);
  if (parsed === null && isTree(node)) delete node[leaf];
  else node[leaf] = parsed;
}

/** `over`'s keys on top of `base`'s; maps are merged, everything else (lists, too) is replaced. */
function merge(base: Tree, over: Tree): Tree {
  const merged: Tree = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isTree(before) && isTree(value) ? merge(before, value) : value;
  }
  return merged;
}
