import { expect, test } from 'vitest';
import { withResources } from './resources.js';

test('what was opened is closed, the last first, once the result is there', async () => {
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

test('a life that fails closes all it had opened, and its own failure is told', async () => {
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

test('what cannot be closed is told where nothing else failed, and the others are closed', async () => {
  const events: string[] = [];
  const life = withResources(async (own) => {
    own('door', (name) => events.push(name));
    own('window', () => Promise.reject(new Error('it sticks')));
    return Promise.resolve();
  });
  await expect(life).rejects.toThrow('it sticks');
  expect(events).toEqual(['door']);
});
