import { FourfoldError } from '@fourfold/common';

/*
 * Reads Python's pickles (protocols 2 to 5, pickletools.py) without running anything. A pickle is a program that may name any Python
 * function; here it may name only those in a list of stand-ins, and anything else ends the reading.
 */

/** A stand-in for a Python function or class. */
export interface PickleGlobal {
  /** Called with the arguments; without it the global may only be mentioned. */
  call?: (args: unknown[]) => unknown;
}

/** An object whose state is set after it was created (`__setstate__`). */
export interface Buildable {
  setState(state: unknown): void;
}

export interface PickleOptions {
  /** Names the file in errors. */
  what: string;
  /** By `module name`. */
  globals: Readonly<Record<string, PickleGlobal>>;
  /** Resolves the pickle's references to objects outside it (persistent ids). */
  persistent?: (id: unknown) => unknown;
}

/** The value, and where the bytes after it begin. */
export interface Unpickled {
  value: unknown;
  end: number;
}

const mark = Symbol('mark');
const maxLongBytes = 64;

/**
 * The value of the pickle that begins at `begin`: dict as Map, list and tuple as arrays, str as string, bytes and Python 2's long
 * str as views of `bytes`, int as number or bigint. Throws `invalid` for a global that is not in the list, naming it, and for
 * operations that weights do not need; `corrupt` for bytes that are not a pickle.
 */
export function readPickle(bytes: Buffer, begin: number, { what, globals, persistent }: PickleOptions): Unpickled {
  let at = begin;
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();

  const corrupt = (reason: string) =>
    new FourfoldError('corrupt', `${what} is damaged: its pickle ${reason}`, { hint: 'fetch the file again' });
  const refuse = (reason: string) =>
    new FourfoldError('invalid', `${what} is refused: its pickle ${reason}`, {
      hint: 'nothing in it was run; get the file from where the weights were published',
    });
  const take = (sizeBytes: number): Buffer => {
    if (sizeBytes > bytes.length - at) throw corrupt('is truncated');
    at += sizeBytes;
    return bytes.subarray(at - sizeBytes, at);
  };
  const u8 = () => take(1)[0];
  const u32 = () => take(4).readUInt32LE();
  const u64 = () => Number(take(8).readBigUInt64LE());
  const line = (): string => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw corrupt('is truncated');
    const text = bytes.toString('latin1', at, end);
    at = end + 1;
    return text;
  };
  const long = (sizeBytes: number): number | bigint => {
    if (sizeBytes > maxLongBytes) throw refuse(`holds a number of ${sizeBytes} bytes`);
    const hex = Buffer.from(take(sizeBytes)).reverse().toString('hex');
    const value = BigInt.asIntN(8 * sizeBytes, BigInt(`0x${hex || '0'}`));
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  };
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === mark) throw corrupt('pops from an empty stack');
    return stack.pop();
  };
  const top = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === mark) throw corrupt('pops from an empty stack');
    return stack.at(-1);
  };
  const popToMark = (): unknown[] => {
    const place = stack.lastIndexOf(mark);
    if (place < 0) throw corrupt('has no mark where one is needed');
    const items = stack.splice(place);
    return items.slice(1);
  };
  const popMany = (count: number): unknown[] => Array.from({ length: count }, pop).reverse();
  const popArgs = (): unknown[] => {
    const args = pop();
    if (!Array.isArray(args)) throw corrupt('calls something without a tuple of arguments');
    return args;
  };
  const global = (module: string, name: string): PickleGlobal => {
    const key = `${module} ${name}`;
    if (!Object.hasOwn(globals, key)) throw refuse(`wants ${module}.${name}, which weights do not need`);
    return globals[key];
  };
  const call = (callee: unknown, args: unknown[]): unknown => {
    const known = Object.values(globals).find((candidate) => candidate === callee);
    if (!known?.call) throw refuse('calls something other than the allowed functions');
    return known.call(args);
  };
  const setItems = (target: unknown, items: unknown[]): void => {
    if (!(target instanceof Map) || items.length % 2 !== 0) throw corrupt('sets items of something other than a dict');
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  };
  const append = (target: unknown, items: unknown[]): void => {
    if (!Array.isArray(target)) throw corrupt('appends to something other than a list');
    for (const item of items) target.push(item);
  };
  const build = (): void => {
    const state = pop();
    const target = top();
    if (isBuildable(target)) target.setState(state);
    // A dict's attributes, such as the versions in a state_dict, do not matter to the weights.
    else if (!(target instanceof Map)) throw refuse('sets the state of something that has none');
  };
  const persist = (id: unknown): unknown => {
    if (!persistent) throw refuse('refers to objects outside the pickle');
    return persistent(id);
  };
  const recall = (index: number): unknown => {
    if (!memo.has(index)) throw corrupt('recalls an item that it has not memorized');
    return memo.get(index);
  };

  /** Operations by their code. */
  const operations: Record<string, () => void> = {
    '\x80': () => void u8(),
    '\x95': () => void u64(),
    '(': () => stack.push(mark),
    '0': () => void (stack.at(-1) === mark ? stack.pop() : pop()),
    '1': () => void popToMark(),
    '2': () => stack.push(top()),
    N: () => stack.push(null),
    '\x88': () => stack.push(true),
    '\x89': () => stack.push(false),
    J: () => stack.push(take(4).readInt32LE()),
    K: () => stack.push(u8()),
    M: () => stack.push(take(2).readUInt16LE()),
    '\x8a': () => stack.push(long(u8())),
    '\x8b': () => stack.push(long(u32())),
    G: () => stack.push(take(8).readDoubleBE()),
    T: () => stack.push(take(u32())),
    U: () => stack.push(take(u8()).toString('latin1')),
    X: () => stack.push(take(u32()).toString('utf8')),
    '\x8c': () => stack.push(take(u8()).toString('utf8')),
    '\x8d': () => stack.push(take(u64()).toString('utf8')),
    B: () => stack.push(take(u32())),
    C: () => stack.push(take(u8())),
    '\x8e': () => stack.push(take(u64())),
    '\x96': () => stack.push(take(u64())),
    ')': () => stack.push([]),
    t: () => stack.push(popToMark()),
    '\x85': () => stack.push(popMany(1)),
    '\x86': () => stack.push(popMany(2)),
    '\x87': () => stack.push(popMany(3)),
    ']': () => stack.push([]),
    l: () => stack.push(popToMark()),
    a: () => {
      const item = pop();
      append(top(), [item]);
    },
    e: () => {
      const items = popToMark();
      append(top(), items);
    },
    '}': () => stack.push(new Map()),
    d: () => {
      const items = popToMark();
      stack.push(new Map());
      setItems(top(), items);
    },
    s: () => {
      const items = popMany(2);
      setItems(top(), items);
    },
    u: () => {
      const items = popToMark();
      setItems(top(), items);
    },
    c: () => stack.push(global(line(), line())),
    '\x93': () => {
      const [module, name] = popMany(2);
      if (typeof module !== 'string' || typeof name !== 'string')
        throw corrupt('names a function with something other than a string');
      stack.push(global(module, name));
    },
    R: () => {
      const args = popArgs();
      stack.push(call(pop(), args));
    },
    '\x81': () => {
      const args = popArgs();
      stack.push(call(pop(), args));
    },
    b: build,
    p: () => memo.set(Number(line()), top()),
    q: () => memo.set(u8(), top()),
    r: () => memo.set(u32(), top()),
    '\x94': () => memo.set(memo.size, top()),
    g: () => stack.push(recall(Number(line()))),
    h: () => stack.push(recall(u8())),
    j: () => stack.push(recall(u32())),
    P: () => stack.push(persist(line())),
    Q: () => stack.push(persist(pop())),
  };

  for (;;) {
    const code = String.fromCharCode(u8());
    if (code === '.') return { value: pop(), end: at };
    const operation = Object.hasOwn(operations, code) ? operations[code] : undefined;
    if (!operation) throw refuse(`has the operation 0x${code.charCodeAt(0).toString(16)}, which weights do not need`);
    operation();
  }
}

const isBuildable = (value: unknown): value is Buildable =>
  typeof value === 'object' && value !== null && 'setState' in value && typeof value.setState === 'function';
