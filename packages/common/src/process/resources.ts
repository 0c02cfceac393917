/** Registers a resource to be closed when `live` ends. Returns the resource. */
export type Own = <T>(resource: T, close: (resource: T) => unknown) => T;

/**
 * Run `live`, then close its resources, the last opened first, however it ends. If one cannot be closed, the others are closed all the same.
 * Rejects with the error of `live`, else with the first failure to close.
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
