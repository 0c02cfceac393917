/** Names that are counted at once; the one that was heard of longest ago is forgotten first. */
const maxNames = 1000;

/**
 * Whether something that happens again and again is worth a line in the log: the first time, then each time that it has happened twice
 * as often. Returns how often it has; undefined where nothing is to be said.
 */
export function createRepeats(): (name: string) => number | undefined {
  const counts = new Map<string, number>();
  return (name) => {
    const times = (counts.get(name) ?? 0) + 1;
    counts.delete(name);
    counts.set(name, times);
    const [oldest] = counts.keys();
    if (counts.size > maxNames) counts.delete(oldest);
    const isPowerOfTwo = (times & (times - 1)) === 0;
    return isPowerOfTwo ? times : undefined;
  };
}
