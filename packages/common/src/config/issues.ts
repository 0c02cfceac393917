import { z } from '@fourfold/common/zod';
import { didYouMean, nearest } from '../errors/nearest.js';

type Issue = z.core.$ZodIssue;

/** A problem of a config: `data.crop is 40: it must be a multiple of 16`. */
export interface Problem {
  key: string;
  /** `is 40`, `is missing`, `is not a key`. */
  found: string;
  /** Why not, and what is allowed. */
  reason: string;
  /** Other keys that take part. */
  others?: string[];
}

/** What is wrong with `raw`: the keys, their values and the allowed values. */
export function problemsOf(schema: z.ZodType, raw: unknown, issues: readonly Issue[]): Problem[] {
  return issues.flatMap((issue) => {
    const key = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, issue.path);
      return issue.keys.map((name) => unknownKey(key, name, known));
    }
    const value = issue.path.reduce<unknown>((node, part) => (node as Record<PropertyKey, unknown>)?.[part], raw);
    const found = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`;
    return [{ key: key || 'the config', found, reason: allowed(issue, value) }];
  });
}

function unknownKey(parent: string, name: string, known: readonly string[]): Problem {
  const inside = (key: string) => (parent ? `${parent}.${key}` : key);
  const meant = nearest(name, known);
  const reason = meant === undefined ? `the keys are ${known.join(', ')}` : `did you mean ${inside(meant)}?`;
  return { key: inside(name), found: 'is not a key', reason };
}

function allowed(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return `it must be ${article(issue.expected)}`;
    case 'invalid_value': {
      const values = issue.values.map(String);
      const meant = typeof value === 'string' ? didYouMean(value, values) : undefined;
      return `it must be one of ${values.join(', ')}${meant === undefined ? '' : ` (${meant})`}`;
    }
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? 'it must not be empty'
        : `it must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `it must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
    case 'not_multiple_of':
      return `it must be a multiple of ${issue.divisor}`;
    default:
      return `it must be ${issue.message}`;
  }
}

const article = (type: string) =>
  ({ int: 'a whole number', number: 'a number', string: 'a string', object: 'a map of keys', array: 'a list' })[type] ??
  `a ${type}`;

function keysAt(schema: z.ZodType, path: PropertyKey[]): string[] {
  let node = unwrap(schema);
  for (const part of path) {
    const child: unknown = node instanceof z.ZodArray ? node.element : (node as z.ZodObject).shape[String(part)];
    node = unwrap(child as z.ZodType);
  }
  return Object.keys((node as z.ZodObject).shape);
}

function unwrap(schema: z.ZodType): z.ZodType {
  return 'innerType' in schema.def ? unwrap(schema.def.innerType as z.ZodType) : schema;
}
