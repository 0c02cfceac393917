/** How many letters to add, remove, change or swap with their neighbour to get from one word to the other. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array.from<number>({ length: b.length }).fill(0)]);
  for (let j = 1; j <= b.length; j++) rows[0][j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const changed = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, changed);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}

/** The known word that was probably meant: at most a third of its letters differ, or one of the two begins with the other. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, '');
  const given = plain(word);
  const ranked = known
    .map((name) => ({ name, other: plain(name), apart: distance(given, plain(name)) }))
    .filter(
      ({ other, apart }) =>
        apart <= (other.length > minLetters ? Math.floor(other.length / 3) : 0) ||
        isBeginning(given, other, minLetters),
    )
    .sort((a, b) => a.apart - b.apart);
  return ranked[0]?.name;
}

/** Words with fewer letters are too short to compare: `gpu` is not `cpu`. */
const minLetters = 3;

const isBeginning = (a: string, b: string, atLeast: number): boolean =>
  Math.min(a.length, b.length) >= atLeast && (a.startsWith(b) || b.startsWith(a));

/** Advice for a word that is not known: the one that was probably meant, else `others`, such as all of them. */
export function didYouMean(word: string, known: readonly string[], others?: string): string | undefined {
  const meant = nearest(word, known);
  return meant === undefined ? others : `did you mean ${meant}?`;
}
