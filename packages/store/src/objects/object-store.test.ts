import { homedir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { openStore } from './object-store.js';

test('a store’s URL may begin at the user’s home', () => {
  for (const url of ['~/x', 'file:~/x']) expect(openStore(url).url).toBe(pathToFileURL(join(homedir(), 'x')).href);
  expect(() => openStore('file:~bob/x')).toThrow('the home of bob');
});
