/**
 * Do work on items, `together` of them at a time, and yield the results in the order of the items: the next item begins whenever a result
 * is taken. If the consumer stops, or work fails, what is in work ends first.
 */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  together: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const inWork: Promise<R>[] = [];
  try {
    for (const item of items) {
      const result = work(item);
      // A failure is thrown when its turn comes.
      result.catch(() => undefined);
      inWork.push(result);
      if (inWork.length === together) yield await (inWork.shift() as Promise<R>);
    }
    while (inWork.length > 0) yield await (inWork.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(inWork);
  }
}
