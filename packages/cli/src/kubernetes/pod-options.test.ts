import { expect, test } from 'vitest';
import {
  collectLabels,
  collectNames,
  collectPairs,
  collectTolerations,
  cpuQuantity,
  memoryQuantity,
} from './pod-options.js';

const given = <T>(collectOne: (text: string, before?: T) => T, ...texts: string[]): T | undefined =>
  texts.reduce<T | undefined>((before, text) => collectOne(text, before), undefined);

test('pairs are repeated or separated by commas; a value may be empty', () => {
  expect(given(collectPairs, 'pool=a100,example.com/zone=b', 'spot=')).toEqual({
    pool: 'a100',
    'example.com/zone': 'b',
    spot: '',
  });
});

test.each([
  ['pool', 'It must be KEY=VALUE.'],
  ['a=b=c', 'It must be KEY=VALUE.'],
  ['=b', 'An empty text is not a label’s key'],
  ['a/b/c=d', 'a/b/c is not a label’s key'],
  ['Example.com/a=b', 'Example.com/a is not a label’s key'],
  ['a=b c', 'b c is not a label’s value'],
  [`a=${'b'.repeat(64)}`, 'at most 63'],
  ['a=b,a=c', 'a is given twice, as b and as c'],
])('the pair %s is refused', (text, reason) => {
  expect(() => collectPairs(text)).toThrow(reason);
});

test.each(['app.kubernetes.io/name=x', 'app.kubernetes.io/instance=x', 'job-name=x', 'kueue.x-k8s.io/queue-name=x'])(
  'the label %s is refused: it has a meaning',
  (text) => {
    expect(() => collectLabels(text)).toThrow('is set by');
  },
);

test('tolerations are written like the taints that they tolerate', () => {
  expect(
    given(collectTolerations, 'spot', 'gpu:NoSchedule', 'team=vision', 'team=vision:NoExecute', 'a=:NoSchedule'),
  ).toEqual([
    { key: 'spot', operator: 'Exists' },
    { key: 'gpu', operator: 'Exists', effect: 'NoSchedule' },
    { key: 'team', operator: 'Equal', value: 'vision' },
    { key: 'team', operator: 'Equal', value: 'vision', effect: 'NoExecute' },
    { key: 'a', operator: 'Equal', value: '', effect: 'NoSchedule' },
  ]);
});

test.each([
  ['', 'It must be KEY, KEY:EFFECT'],
  ['=a', 'It must be KEY, KEY:EFFECT'],
  ['a=b=c', 'It must be KEY, KEY:EFFECT'],
  ['a b', 'a b is not a label’s key'],
  ['gpu:Never', 'Never is not an effect: NoSchedule, PreferNoSchedule, NoExecute'],
  ['gpu:', 'An empty effect is not an effect'],
])('the toleration %j is refused', (text, reason) => {
  expect(() => collectTolerations(text)).toThrow(reason);
});

test('quantities are those of Kubernetes', () => {
  for (const text of ['4', '1.5', '500m']) expect(cpuQuantity(text)).toBe(text);
  for (const text of ['0', '0m', '-1', '4Gi', 'four', '']) expect(() => cpuQuantity(text)).toThrow('such as 4');
  for (const text of ['16Gi', '512Mi', '1.5G', '1000000']) expect(memoryQuantity(text)).toBe(text);
  // 400m of memory is 0.4 bytes.
  for (const text of ['0', '400m', '16GB', '16 Gi', '']) expect(() => memoryQuantity(text)).toThrow('such as 16Gi');
});

test('names of Secrets are collected and checked', () => {
  expect(given(collectNames, 'registry', 'other.one')).toEqual(['registry', 'other.one']);
  expect(() => collectNames('Registry')).toThrow('lower-case');
});
