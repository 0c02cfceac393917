import { FourfoldError } from '@fourfold/common';
import { expect, test } from 'vitest';
import { createStreamChoice } from './choice.js';

const unanswered = () => Object.assign(new FourfoldError('unavailable', 'nobody there'), { isUnanswered: true });

async function* of(pieces: number[], failure?: Error) {
  yield* pieces;
  if (failure) throw failure;
}

async function collect(pieces: AsyncIterable<number>) {
  const all = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

function choice() {
  const said: string[] = [];
  const choose = createStreamChoice((reason) => said.push(reason));
  return { said, choose };
}

test('a peer that answers is never asked by gRPC, even when a transfer fails', async () => {
  const { said, choose } = choice();
  const grpc = () => of([9]);
  expect(await collect(choose(() => of([1, 2]), grpc))).toEqual([1, 2]);
  await expect(collect(choose(() => of([1], unanswered()), grpc))).rejects.toThrow('nobody there');
  await expect(collect(choose(() => of([], unanswered()), grpc))).rejects.toThrow('nobody there');
  expect(said).toEqual([]);
});

test('a peer that does not answer is asked by gRPC from then on, which is said once', async () => {
  const { said, choose } = choice();
  expect(
    await collect(
      choose(
        () => of([], unanswered()),
        () => of([1]),
      ),
    ),
  ).toEqual([1]);
  expect(
    await collect(
      choose(
        () => of([2]),
        () => of([3]),
      ),
    ),
  ).toEqual([3]);
  expect(said).toEqual(['nobody there']);
});

test('a peer that answers neither way is tried again by stream: it may have been lost', async () => {
  const { said, choose } = choice();
  const dead = () => of([], new FourfoldError('unavailable', 'dead'));
  await expect(collect(choose(() => of([], unanswered()), dead))).rejects.toThrow('dead');
  expect(await collect(choose(() => of([1]), dead))).toEqual([1]);
  expect(said).toEqual([]);
});

test('any other failure of the stream is one', async () => {
  const { choose } = choice();
  const mismatch = new FourfoldError('mismatch', 'another frame');
  await expect(
    collect(
      choose(
        () => of([], mismatch),
        () => of([1]),
      ),
    ),
  ).rejects.toThrow('another frame');
});
