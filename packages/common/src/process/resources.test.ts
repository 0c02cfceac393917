import { expect, test } from 'vitest';
import { withResources } from './resources.js';

test('resources are closed after the result, the last opened first', async () => {
  const events: string[] = [];
  const result = await withResources(async (own) => {
    own('door', (name) => events.push(name));
    own('window', async (name) => {
      await Promise.resolve();
      events.push(name);
    });
    events.push('lived');
    return 7;
  });
  expect(result).toBe(7);
  expect(events).toEqual(['lived', 'window', 'door']);
});

test('a failure closes all resources, and is the one reported', async () => {
  const events: string[] = [];
  const life = withResources(async (own) => {
    own('door', (name) => events.push(name));
    own('window', () => {
      throw new Error('it sticks');
    });
    await Promise.reject(new Error('fire'));
  });
  await expect(life).rejects.toThrow('fire');
  expect(events).toEqual(['door']);
});

test('a failure to close is reported if nothing else failed, and the others are closed', async () => {
  const events: string[] = [];
  const life = withResources(async (own) => {
    own('door', (name) => events.push(name));
    own('window', () => Promise.reject(new Error('it sticks')));
    return Promise.resolve();
  });
  await expect(life).rejects.toThrow('it sticks');
  expect(events).toEqual(['door']);
});
