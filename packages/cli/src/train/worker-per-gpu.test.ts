import { expect, test } from 'vitest';
import { placesOf, visibleDevice } from './worker-per-gpu.js';

test('the worker of each GPU has the next ports; port 0 remains any', () => {
  const places = { listen: '0.0.0.0:7001', advertise: '[fd00::1]:7001', http: '127.0.0.1:0', coordinator: 'c:7000' };
  expect(placesOf(places, 0)).toEqual(places);
  expect(placesOf(places, 3)).toEqual({ ...places, listen: '0.0.0.0:7004', advertise: '[fd00::1]:7004' });
  expect(placesOf({ listen: '127.0.0.1:0' }, 3)).toEqual({ listen: '127.0.0.1:0' });
});

test('each worker sees one GPU, of those that its parent sees', () => {
  expect([0, 1].map((gpu) => visibleDevice(undefined, gpu))).toEqual(['0', '1']);
  expect([0, 1].map((gpu) => visibleDevice('GPU-a,GPU-b', gpu))).toEqual(['GPU-a', 'GPU-b']);
});
