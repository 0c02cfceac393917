type Row<Key, Value> = readonly [Key, Value] | undefined;
type Block<Key, Value> = readonly Row<Key, Value>[];

/** Rows of a block: a change copies one block, and the list of blocks. */
const blockRows = 32;

/**
 * A map that is not changed: `with` and `without` return another. They copy some dozens of references, where a copy of a `Map` with
 * hundreds of keys hashes all of them again. In order of insertion; a key that returns may have its old place.
 */
export class Table<Key, Value> implements Iterable<readonly [Key, Value]> {
  private constructor(
    /** Where each key's row is. Shared with the tables made of this one, which only add to it. */
    private readonly places: Map<Key, number>,
    private readonly blocks: readonly Block<Key, Value>[],
    readonly size: number,
  ) {}

  static empty<Key, Value>(): Table<Key, Value> {
    return new Table<Key, Value>(new Map(), [], 0);
  }

  get(key: Key): Value | undefined {
    return this.rowAt(this.places.get(key))?.[1];
  }

  has(key: Key): boolean {
    return this.rowAt(this.places.get(key)) !== undefined;
  }

  *[Symbol.iterator](): Iterator<readonly [Key, Value]> {
    for (const block of this.blocks) for (const row of block) if (row) yield row;
  }

  keys(): Key[] {
    return [...this].map(([key]) => key);
  }

  values(): Value[] {
    const values: Value[] = [];
    for (const block of this.blocks) for (const row of block) if (row) values.push(row[1]);
    return values;
  }

  /** The table with this value of a key. */
  with(key: Key, value: Value): Table<Key, Value> {
    const place = this.places.get(key) ?? this.places.size;
    this.places.set(key, place);
    const isNew = this.rowAt(place) === undefined;
    return new Table(this.places, this.blocksWith(place, [key, value]), isNew ? this.size + 1 : this.size);
  }

  /** The table without a key. */
  without(key: Key): Table<Key, Value> {
    const place = this.places.get(key);
    if (place === undefined || this.rowAt(place) === undefined) return this;
    const left = new Table(this.places, this.blocksWith(place, undefined), this.size - 1);
    return this.places.size > 2 * Math.max(blockRows, left.size) ? left.tidied() : left;
  }

  /** The same rows, with no places for keys that are gone. */
  private tidied(): Table<Key, Value> {
    let tidy = Table.empty<Key, Value>();
    for (const [key, value] of this) tidy = tidy.with(key, value);
    return tidy;
  }

  private rowAt(place: number | undefined): Row<Key, Value> {
    return place === undefined ? undefined : this.blocks[Math.floor(place / blockRows)]?.[place % blockRows];
  }

  private blocksWith(place: number, row: Row<Key, Value>): Block<Key, Value>[] {
    const blocks = this.blocks.slice();
    const index = Math.floor(place / blockRows);
    while (blocks.length <= index) blocks.push(emptyBlock);
    const block = blocks[index].slice();
    block[place % blockRows] = row;
    blocks[index] = block;
    return blocks;
  }
}

const emptyBlock: readonly undefined[] = Array.from({ length: blockRows }, () => undefined);
