import { expect, test } from 'vitest';
import { chooseRoute } from './choose-route.js';

test.each([
  ['auto', [], 'star'],
  ['auto', ['b'], 'star'],
  ['auto', ['own', 'own', 'own'], 'star'],
  ['auto', ['b', 'c'], 'chain'],
  // Two workers in a pod on another host, and one beside the coordinator that has no shared memory.
  ['auto', ['b', 'b'], 'chain'],
  ['auto', ['own', 'b'], 'chain'],
  ['star', ['b', 'c', 'd'], 'star'],
  ['chain', ['own'], 'chain'],
] as const)('exchange.route %s with workers on %j is a %s', (setting, machines, route) => {
  expect(chooseRoute(setting, machines, 'own')).toBe(route);
});
