import { pickleBytes, pickleErrors, pickleStack, type PickleErrors } from './pickle-input.js';

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

/**
 * The value of the pickle that begins at `begin`: dict as Map, list and tuple as arrays, str as string, bytes and Python 2's long
 * str as views of `bytes`, int as number or bigint. Throws `invalid` for a global that is not in the list, naming it, and for
 * operations that weights do not need; `corrupt` for bytes that are not a pickle.
 */
export function readPickle(bytes: Buffer, begin: number, options: PickleOptions): Unpickled {
  const errors = pickleErrors(options.what);
  const input = pickleBytes(bytes, begin, errors);
  const stack = pickleStack(errors);
  const operations = pickleOperations(input, stack, pickleObjects(options, errors));
  for (;;) {
    const code = String.fromCharCode(input.u8());
    if (code === '.') return { value: stack.pop(), end: input.at() };
    const operation = Object.hasOwn(operations, code) ? operations[code] : undefined;
    if (!operation) {
      throw errors.refuse(`has the operation 0x${code.charCodeAt(0).toString(16)}, which weights do not need`);
    }
    operation();
  }
}

/** What operations do to objects. */
function pickleObjects({ globals, persistent }: PickleOptions, { corrupt, refuse }: PickleErrors) {
  const memo = new Map<number, unknown>();
  const global = (module: unknown, name: unknown): PickleGlobal => {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw corrupt('names a function with something other than a string');
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
  const build = (target: unknown, state: unknown): void => {
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
  return { memo, global, call, setItems, append, build, persist, recall };
}

// eslint-disable-next-line max-lines-per-function -- a table of operations
function pickleOperations(
  { take, u8, u32, u64, line, long }: ReturnType<typeof pickleBytes>,
  { push, pushMark, discard, pop, top, popToMark, popMany, popArgs }: ReturnType<typeof pickleStack>,
  { memo, global, call, setItems, append, build, persist, recall }: ReturnType<typeof pickleObjects>,
): Record<string, () => void> {
  return {
    '\x80': () => void u8(),
    '\x95': () => void u64(),
    '(': () => pushMark(),
    '0': () => discard(),
    '1': () => void popToMark(),
    '2': () => push(top()),
    N: () => push(null),
    '\x88': () => push(true),
    '\x89': () => push(false),
    J: () => push(take(4).readInt32LE()),
    K: () => push(u8()),
    M: () => push(take(2).readUInt16LE()),
    '\x8a': () => push(long(u8())),
    '\x8b': () => push(long(u32())),
    G: () => push(take(8).readDoubleBE()),
    T: () => push(take(u32())),
    U: () => push(take(u8()).toString('latin1')),
    X: () => push(take(u32()).toString('utf8')),
    '\x8c': () => push(take(u8()).toString('utf8')),
    '\x8d': () => push(take(u64()).toString('utf8')),
    B: () => push(take(u32())),
    C: () => push(take(u8())),
    '\x8e': () => push(take(u64())),
    '\x96': () => push(take(u64())),
    ')': () => push([]),
    t: () => push(popToMark()),
    '\x85': () => push(popMany(1)),
    '\x86': () => push(popMany(2)),
    '\x87': () => push(popMany(3)),
    ']': () => push([]),
    l: () => push(popToMark()),
    a: () => {
      const item = pop();
      append(top(), [item]);
    },
    e: () => {
      const items = popToMark();
      append(top(), items);
    },
    '}': () => push(new Map()),
    d: () => {
      const items = popToMark();
      push(new Map());
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
    c: () => push(global(line(), line())),
    '\x93': () => {
      const [module, name] = popMany(2);
      push(global(module, name));
    },
    R: () => {
      const args = popArgs();
      push(call(pop(), args));
    },
    '\x81': () => {
      const args = popArgs();
      push(call(pop(), args));
    },
    b: () => {
      const state = pop();
      build(top(), state);
    },
    p: () => memo.set(Number(line()), top()),
    q: () => memo.set(u8(), top()),
    r: () => memo.set(u32(), top()),
    '\x94': () => memo.set(memo.size, top()),
    g: () => push(recall(Number(line()))),
    h: () => push(recall(u8())),
    j: () => push(recall(u32())),
    P: () => push(persist(line())),
    Q: () => push(persist(pop())),
  };
}

const isBuildable = (value: unknown): value is Buildable =>
  typeof value === 'object' && value !== null && 'setState' in value && typeof value.setState === 'function';
