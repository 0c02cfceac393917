import { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** Describe on one line what is wrong with `raw`: the key, its value and the allowed values. */
export function describeIssue(schema: z.ZodType, raw: unknown, issue: Issue): string {
  const key = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path);
    const unknown = issue.keys.map((name) => (key ? `${key}.${name}` : name)).join(', ');
    return `unknown key ${unknown}; the known keys are ${known.join(', ')}`;
  }
  const value = issue.path.reduce<unknown>((node, part) => (node as Record<PropertyKey, unknown>)?.[part], raw);
  const found = value === undefined ? 'missing' : JSON.stringify(value);
  return `${key || 'the config'} is ${found}: ${allowed(issue)}`;
}

function allowed(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `it must be ${article(issue.expected)}`;
    case 'invalid_value':
      return `it must be one of ${issue.values.map(String).join(', ')}`;
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
