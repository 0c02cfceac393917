/** Names counted at a time; the one seen longest ago is forgotten first. */
const maxNames = 1000;

/**
 * Decides when a repeated event deserves a log line: the first time, then whenever its count has doubled. Returns the count, or undefined
 * if nothing should be logged.
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
