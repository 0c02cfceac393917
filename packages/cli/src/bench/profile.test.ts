import { expect, test } from 'vitest';
import { partOf, profileThread, sharesOf } from './profile.js';

test.each([
  ['plan', 'file:///a/packages/coordinator/dist/leases/plan.js', 'leases'],
  ['done', 'file:///a/packages/coordinator/dist/training/failures.js', 'failures, sessions'],
  ['pullGradient', 'file:///a/node_modules/@fourfold/coordinator/dist/updates/reduction.js', 'reduction'],
  ['decode', 'file:///a/node_modules/protobufjs/src/reader.js', 'messages'],
  ['write', 'file:///a/node_modules/@grpc/grpc-js/build/src/call.js', 'gRPC'],
  ['onread', 'node:internal/stream_base_commons', 'Node.js'],
  ['(garbage collector)', '', 'garbage collection'],
  ['(program)', '', 'system calls'],
  ['median', 'file:///a/packages/common/dist/numbers/median.js', 'other'],
])('%s of %s counts as %s', (functionName, url, part) => {
  expect(partOf({ functionName, url })).toBe(part);
});

test('shares are of the time in which the thread was busy', () => {
  const node = (id: number, functionName: string, url = '') => ({
    id,
    callFrame: { functionName, url, scriptId: '', lineNumber: 0, columnNumber: 0 },
  });
  const nodes = [node(1, '(idle)'), node(2, 'a', 'node:net'), node(3, '(garbage collector)')];
  const profile = { nodes, startTime: 0, endTime: 0, samples: [1, 2, 3, 2], timeDeltas: [50, 1, 1, 2] };
  expect(sharesOf(profile)).toEqual({ 'Node.js': 0.75, 'garbage collection': 0.25 });
});

test('a thread is profiled while it works', async () => {
  const { result, shares } = await profileThread(async () => {
    const endMs = performance.now() + 50;
    let sum = 0;
    while (performance.now() < endMs) sum += Math.sqrt(sum + 1);
    return sum;
  });
  expect(result).toBeGreaterThan(0);
  expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
});
