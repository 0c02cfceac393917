import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';

/*
 * One YAML text of several versions of an object: what differs is between `{{- if }}` and `{{- end }}`, as a chart's template has it.
 */

type Scalar = string | number | boolean | null;
export type Value = Scalar | Value[] | Tree;
export interface Tree {
  [key: string]: Value;
}

/** The value where a condition of Go's templates holds; undefined if it has none there. */
export interface Version {
  when: string;
  value: Value | undefined;
}

/** The text of a scalar at this path of keys and places in lists; undefined for the scalar as it is. */
export type Fill = (path: readonly string[], value: Scalar) => string | undefined;

/** The lines of a tree. Throws if two versions differ from it at one place. */
export function conditionalYaml(tree: Tree, versions: readonly Version[], fill: Fill): string[] {
  return mapLines(tree, versions, fill, []);
}

type Lines = (value: Value, versions: readonly Version[], fill: Fill, path: readonly string[]) => string[];

function mapLines(tree: Tree, versions: readonly Version[], fill: Fill, path: readonly string[]): string[] {
  const added = versions.flatMap(({ value }) => Object.keys(value as Tree)).filter((key) => !(key in tree));
  return [...Object.keys(tree), ...new Set(added)].flatMap((key) => {
    const at = versions.map(({ when, value }) => ({ when, value: (value as Tree)[key] }));
    return member(key, tree[key], at, fill, [...path, key]);
  });
}

/** The lines of a key with its value, or of a list's item. */
function member(
  key: string | undefined,
  value: Value | undefined,
  versions: readonly Version[],
  fill: Fill,
  path: readonly string[],
): string[] {
  const alone = (one: Value): string[] => member(key, one, [], fill, path);
  const others = versions.filter((version) => !isDeepStrictEqual(version.value, value));
  const all = [value, ...others.map((version) => version.value)];
  for (const [is, lines] of [
    [isTree, mapLines as Lines],
    [Array.isArray, listLines as Lines],
  ] as const)
    if (all.every((one) => is(one) && Object.keys(one as object).length > 0))
      return headed(key, lines(value as Value, others, fill, path));
  if (others.length > 1)
    throw new Error(`${path.join('.')} differs under ${others.map(({ when }) => when).join(', ')}`);
  const [other] = others;
  if (value === undefined) return guarded(other.when, alone(other.value as Value));
  if (other === undefined) return scalarLines(key, value, fill, path);
  if (other.value === undefined) return guarded(`not (${other.when})`, alone(value));
  return [`{{- if ${other.when} }}`, ...alone(other.value), '{{- else }}', ...alone(value), '{{- end }}'];
}

/** Lists of one length are compared item by item; otherwise a version has all items, in their order, and more. */
function listLines(list: Value[], versions: readonly Version[], fill: Fill, path: readonly string[]): string[] {
  const longer = versions.filter(({ value }) => (value as Value[]).length !== list.length);
  const same = versions.filter((version) => !longer.includes(version));
  const rest = longer.map(({ when, value }) => ({ when, items: [...(value as Value[])] }));
  const more = (until: Value | undefined) =>
    rest.flatMap(({ when, items }) => {
      const end = until === undefined ? items.length : items.findIndex((item) => isDeepStrictEqual(item, until));
      if (end < 0) throw new Error(`${path.join('.')} lacks ${JSON.stringify(until)} under ${when}`);
      const added = items.splice(0, end).flatMap((item) => member(undefined, item, [], fill, path));
      items.shift();
      return added.length > 0 ? guarded(when, added) : [];
    });
  const lines = list.flatMap((item, i) => {
    const at = same.map(({ when, value }) => ({ when, value: (value as Value[])[i] }));
    return [...more(item), ...member(undefined, item, at, fill, [...path, String(i)])];
  });
  return [...lines, ...more(undefined)];
}

function scalarLines(key: string | undefined, value: Value, fill: Fill, path: readonly string[]): string[] {
  const filled = typeof value === 'object' && value !== null ? undefined : fill(path, value);
  if (filled !== undefined) return [key === undefined ? `- ${filled}` : `${key}: ${filled}`];
  const text = stringify(key === undefined ? [value] : { [key]: value }, { version: '1.1', lineWidth: 0 });
  if (text.includes('{{')) throw new Error(`${path.join('.')} would be taken for a template: ${text}`);
  return text.trimEnd().split('\n');
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

const headed = (key: string | undefined, lines: readonly string[]): string[] =>
  key === undefined
    ? lines.map((line, i) => (i === 0 ? `- ${line}` : `  ${line}`))
    : [`${key}:`, ...lines.map((line) => `  ${line}`)];

/** Lines for where a condition of Go's templates holds. */
export const guarded = (when: string, lines: readonly string[]): string[] => [
  `{{- if ${when} }}`,
  ...lines,
  '{{- end }}',
];
