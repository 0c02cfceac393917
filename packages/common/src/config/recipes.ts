import { readdir } from 'node:fs/promises';
import { FourfoldError } from '../errors/errors.js';
import { didYouMean } from '../errors/nearest.js';
import { readGivenFile, readStandardInput } from '../files/given-file.js';
import { isTree, type Tree } from './tree.js';

/** YAML's parser, which only commands that read a config need. */
export const loadYaml = (): Promise<typeof import('yaml')> => import('yaml');

const recipesFolder = new URL('../../recipes/', import.meta.url);
/** What all recipes share; it is not a recipe itself. */
const baseRecipe = 'base';

/** The keys of a config on top of those of its `recipe`, and of that recipe's own. `source` names the config in errors. */
export async function withRecipes(own: Tree, source: string): Promise<Tree> {
  const { recipe, ...rest } = own;
  if (recipe === undefined) return rest;
  const names = (await readdir(recipesFolder)).map((file) => file.replace(/\.yaml$/, '')).sort();
  const name = names.find((known) => known === recipe);
  if (name === undefined) throw unknownRecipe(recipe, names, source);
  const base = await readYaml(new URL(`${name}.yaml`, recipesFolder), `recipe ${name}`);
  return merge(await withRecipes(base, `recipe ${name}`), rest);
}

function unknownRecipe(recipe: unknown, names: readonly string[], source: string): FourfoldError {
  const known = names.filter((name) => name !== baseRecipe);
  const all = `the recipes are ${known.join(', ')}`;
  const meant = typeof recipe === 'string' ? didYouMean(recipe, known) : undefined;
  return new FourfoldError('invalid', `${source}: recipe is ${JSON.stringify(recipe)}: there is no such recipe`, {
    hint: meant === undefined ? all : `${meant} ${all}`,
  });
}

/** Read a YAML file, or standard input for `-`. JSON from there, in which `train` gives its parts their config, needs no YAML parser. */
export async function readYaml(path: string | URL, name: string): Promise<Tree> {
  const isPiped = path === '-';
  const text = (isPiped ? await readStandardInput() : await readGivenFile(path, name)).toString('utf8');
  const tree = (isPiped ? parseJson(text) : undefined) ?? (await parseYaml(text, name));
  if (!isTree(tree)) throw new FourfoldError('invalid', `${name} holds no keys`);
  return tree;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function parseYaml(text: string, name: string): Promise<unknown> {
  const { parse, YAMLParseError } = await loadYaml();
  try {
    return parse(text);
  } catch (cause) {
    if (cause instanceof YAMLParseError) {
      throw new FourfoldError('invalid', `${name} is not YAML: ${cause.message.split('\n')[0].replace(/:$/, '')}`);
    }
    throw cause;
  }
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
