import { lacks } from '../../../../test/support/needs.mjs';
import { expect, test } from 'vitest';
import { freePorts } from './free-ports.js';

test.skipIf(lacks('linux', process.platform === 'linux'))('a port that was chosen is not chosen again', async () => {
  const [first, second] = await Promise.all([freePorts(400), freePorts(400)]);
  expect(new Set([...first, ...second]).size).toBe(800);
});
