import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { parseRunConfig } from '../config/load.js';
import { expandHome } from './home.js';
import { absoluteStoreUrl } from './store-url.js';

const home = (path: string) => join(homedir(), path);
const homeUrl = (path: string) => pathToFileURL(home(path)).href;

test.each([
  ['~', homedir()],
  ['~/a b/~', `${homedir()}/a b/~`],
  ['a/~', 'a/~'],
  ['./~bob', './~bob'],
  ['', ''],
])('%j is %j', (path, expanded) => expect(expandHome(path)).toBe(expanded));

test('another user’s home is refused', () => {
  for (const path of ['~bob', '~bob/x']) {
    expect(() => expandHome(path)).toThrow(
      expect.objectContaining({ code: 'invalid', message: `${path}: the home of bob is not known` }) as Error,
    );
  }
});

test('a store’s URL', () => {
  for (const url of ['~/x', 'file:~/x']) expect(absoluteStoreUrl(url)).toBe(homeUrl('x'));
});

test('every path of a config', () => {
  const config = parseRunConfig(
    {
      name: 'one',
      phases: [{ kind: 'mse', iterations: 1, learningRate: 1e-4 }],
      ...{ store: '~/store', dataset: '~/dataset', vgg: '~/vgg', startFrom: '~/other' },
      validation: { images: '~/validation' },
      data: { cacheFolder: '~/cache' },
      exchange: { folder: '~/memory' },
    },
    'a test',
  );
  expect(config).toMatchObject({
    ...{ store: homeUrl('store'), dataset: homeUrl('dataset'), vgg: homeUrl('vgg'), startFrom: homeUrl('other') },
    validation: { images: homeUrl('validation') },
    data: { cacheFolder: home('cache') },
    exchange: { folder: home('memory') },
  });
});
