import { FourfoldError } from '@fourfold/common/basics';

/*
 * What a pickle's operations read from: its bytes, and the stack of values that earlier operations have left.
 */

/** The errors of a pickle in the file `what`. */
export const pickleErrors = (what: string) => ({
  corrupt: (reason: string) =>
    new FourfoldError('corrupt', `${what} is damaged: its pickle ${reason}`, { hint: 'fetch the file again' }),
  refuse: (reason: string) =>
    new FourfoldError('invalid', `${what} is refused: its pickle ${reason}`, {
      hint: 'nothing in it was run; get the file from where the weights were published',
    }),
});

export type PickleErrors = ReturnType<typeof pickleErrors>;

const maxLongBytes = 64;

/** Reads a pickle's bytes from `begin` on. */
export function pickleBytes(bytes: Buffer, begin: number, { corrupt, refuse }: PickleErrors) {
  let at = begin;
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
  return { at: () => at, take, u8, u32, u64, line, long };
}

const mark = Symbol('mark');

/** A pickle's stack. Marks divide it; they cannot be popped as values. */
export function pickleStack({ corrupt }: PickleErrors) {
  const stack: unknown[] = [];
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
  return {
    push: (value: unknown) => void stack.push(value),
    pushMark: () => void stack.push(mark),
    /** Pop a value, or the mark that is on top. */
    discard: () => void (stack.at(-1) === mark ? stack.pop() : pop()),
    ...{ pop, top, popToMark, popMany, popArgs },
  };
}
