import { expect, test } from 'vitest';
import { inOrder } from './in-order.js';

/** Work that ends when it is told to. */
function createWork() {
  const inWork = new Map<number, { resolve: (result: string) => void; reject: (error: Error) => void }>();
  const begun: number[] = [];
  const work = (item: number) =>
    new Promise<string>((resolve, reject) => {
      begun.push(item);
      inWork.set(item, { resolve, reject });
    });
  const end = (item: number) => inWork.get(item)?.resolve(`result ${item}`);
  const fail = (item: number) => inWork.get(item)?.reject(new Error(`failure of ${item}`));
  return { work, begun, end, fail };
}

test('results come in the order of the items, and so many are in work as asked, also while the first is slow', async () => {
  const { work, begun, end } = createWork();
  const results = inOrder([0, 1, 2, 3, 4], 3, work);
  const first = results.next();
  expect(begun).toEqual([0, 1, 2]);
  end(2);
  end(1);
  end(0);
  expect(await first).toMatchObject({ value: 'result 0' });
  const second = results.next();
  expect(begun).toEqual([0, 1, 2, 3]);
  end(3);
  end(4);
  expect(await second).toMatchObject({ value: 'result 1' });
  const rest: string[] = [];
  const pending = (async () => {
    for await (const result of results) rest.push(result);
  })();
  await expect.poll(() => begun.length).toBe(5);
  end(4);
  await pending;
  expect(rest).toEqual(['result 2', 'result 3', 'result 4']);
});

test('a failure is thrown in its turn, after what is in work has ended', async () => {
  const { work, begun, end, fail } = createWork();
  const results = inOrder([0, 1, 2, 3], 3, work);
  const first = results.next();
  fail(1);
  end(0);
  expect(await first).toMatchObject({ value: 'result 0' });
  let isOver = false;
  const second = results.next().finally(() => (isOver = true));
  const refused = expect(second).rejects.toThrow('failure of 1');
  await Promise.resolve();
  expect(isOver).toBe(false);
  end(2);
  end(3);
  await refused;
  expect(begun).toEqual([0, 1, 2, 3]);
});

test('a consumer that stops waits for what is in work', async () => {
  const { work, end } = createWork();
  const results = inOrder([0, 1, 2], 2, work);
  const first = results.next();
  end(0);
  await first;
  let isOver = false;
  const stopped = results.return(undefined).then(() => (isOver = true));
  await Promise.resolve();
  expect(isOver).toBe(false);
  end(1);
  await stopped;
});
