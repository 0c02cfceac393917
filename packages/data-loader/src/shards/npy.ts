/*
 * NumPy's format for arrays, version 1.0, as `numpy.save` writes it: a header of a multiple of 64 bytes, then the elements.
 */

/** Bytes before the pixels of any picture. */
export const npyHeaderBytes = 128;

const magic = Buffer.from('\x93NUMPY\x01\x00', 'latin1');
const prefixBytes = magic.length + 2;

/** The header of an array [height, width, 3] of uint8 in C order. */
export function npyHeader(width: number, height: number): Buffer {
  const header = Buffer.alloc(npyHeaderBytes, ' ');
  magic.copy(header);
  header.writeUInt16LE(npyHeaderBytes - prefixBytes, magic.length);
  header.write(describeArray(width, height), prefixBytes, 'latin1');
  header.write('\n', npyHeaderBytes - 1, 'latin1');
  return header;
}

/** Why these first bytes of a file are not the header of such an array; undefined if they are. */
export function whyNoNpy(head: Buffer, width: number, height: number): string | undefined {
  if (head.equals(npyHeader(width, height))) return undefined;
  if (!head.subarray(0, 6).equals(magic.subarray(0, 6))) return 'it is not a NumPy array';
  const text = head
    .toString('latin1', prefixBytes)
    .replaceAll(/[^ -~]/g, ' ')
    .trim();
  return `it is the array ${text}, not ${describeArray(width, height)}`;
}

const describeArray = (width: number, height: number): string =>
  `{'descr': '|u1', 'fortran_order': False, 'shape': (${height}, ${width}, 3), }`;
