/** Takes charge of a resource: it is closed when the life that opened it ends. Returns the resource. */
export type Own = <T>(resource: T, close: (resource: T) => unknown) => T;

/**
 * Run `live`, then close what it owns, the last opened first, however it ends. One that cannot be closed does not keep the
 * others open. Rejects with what `live` rejected with, else with the first failure to close.
 */
export async function withResources<T>(live: (own: Own) => Promise<T>): Promise<T> {
  const closers: (() => unknown)[] = [];
  const closeAll = async () => {
    const failures: unknown[] = [];
    for (const close of closers.reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  let result: T;
  try {
    result = await live((resource, close) => {
      closers.push(() => close(resource));
      return resource;
    });
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
  await closeAll();
  return result;
}
