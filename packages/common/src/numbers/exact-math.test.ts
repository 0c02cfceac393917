import { expect, test } from 'vitest';
import { exactCos, exactExp, exactLog10, exactSin } from './exact-math.js';

/*
 * The values are mpmath's, with 300 bits. Every engine on every host must give these bits.
 */

const functions = { sin: exactSin, cos: exactCos, exp: exactExp, log10: exactLog10 };
const table: [name: keyof typeof functions, x: number, value: string, bits: string][] = [
  ['sin', 0, '0.0', '0000000000000000'],
  ['cos', 0, '1.0', '3ff0000000000000'],
  ['sin', 0.1, '0.09983341664682815783019687', '3fb98eaecb8bcb2c'],
  ['cos', 0.1, '0.9950041652780257655413752', '3fefd712f9a817c0'],
  ['sin', 0.3, '0.2955202066613395644989551', '3fd2e9cd95baba33'],
  ['cos', 0.3, '0.9553364891256060229232436', '3fee921dd42f09ba'],
  ['sin', 0.7853981633974483, '0.707106781186547502751943', '3fe6a09e667f3bcd'],
  ['cos', 0.7853981633974483, '0.7071067811865475460497458', '3fe6a09e667f3bcd'],
  ['sin', 1, '0.8414709848078965066525023', '3feaed548f090cee'],
  ['cos', 1, '0.5403023058681397174009366', '3fe14a280fb5068c'],
  ['sin', 1.5707963267948966, '1.0', '3ff0000000000000'],
  ['cos', 1.5707963267948966, '6.12323399573676588613033e-17', '3c91a62633145c07'],
  ['sin', 2, '0.9092974268256816953960199', '3fed18f6ead1b446'],
  ['cos', 2, '-0.4161468365471423869975682', 'bfdaa22657537205'],
  ['sin', 2.5, '0.5984721441039564940518547', '3fe326af0dcfcab0'],
  ['cos', 2.5, '-0.8011436155469337148335028', 'bfe9a2f7ef858b7d'],
  ['sin', 3.141592653589793, '1.224646799147353177226066e-16', '3ca1a62633145c07'],
  ['cos', 3.141592653589793, '-1.0', 'bff0000000000000'],
  ['sin', 6.283185307179586, '-2.449293598294706354452132e-16', 'bcb1a62633145c07'],
  ['cos', 6.283185307179586, '1.0', '3ff0000000000000'],
  ['sin', 9.42, '0.004777942590128511553448198', '3f73920932ab1463'],
  ['cos', 9.42, '-0.9999885855671580794737685', 'bfefffe80fec4bb5'],
  ['sin', -0.7, '-0.6442176872376910197067981', 'bfe49d6e694619b8'],
  ['cos', -0.7, '0.7648421872844884548648724', '3fe87996529f9d93'],
  ['sin', -2.25, '-0.7780731968879212414109667', 'bfe8e5f9c2d0e3a9'],
  ['cos', -2.25, '-0.6281736227227390889133891', 'bfe419ff91b9ba6d'],
  ['exp', 0, '1.0', '3ff0000000000000'],
  ['exp', -1e-9, '0.9999999990000000004999999', '3fefffffff768fa1'],
  ['exp', -0.125, '0.8824969025845954028648921', '3fec3d6a24ed8222'],
  ['exp', -0.3465735902799727, '0.7071067811865474933476015', '3fe6a09e667f3bcc'],
  ['exp', -0.5, '0.6065306597126334236037995', '3fe368b2fc6f960a'],
  ['exp', -1, '0.3678794411714423215955238', '3fd78b56362cef38'],
  ['exp', -5.555555555555555, '0.003865920139472807508421648', '3f6fab6c122cebaa'],
  ['exp', -50, '1.928749847963917783017343e-22', '3b6d257d547e083f'],
  ['exp', -600, '2.650396553004310816338679e-261', '09d4dd4d0d12c071'],
  ['exp', 1, '2.718281828459045235360287', '4005bf0a8b14576a'],
  ['exp', 2.75, '15.6426318841881716102127', '402f49070bdbe8fd'],
  ['log10', 1e-10, '-9.999999999999999984177698', 'c024000000000000'],
  ['log10', 0.07, '-1.154901959985743127959464', 'bff27a7a7a4399e0'],
  ['log10', 0.7071067811865475, '-0.1505149978319906361075787', 'bfc34413509f7a00'],
  ['log10', 0.9999, '-4.343161980750560101345566e-5', 'bf06c54b17ee96f3'],
  ['log10', 1, '0.0', '0000000000000000'],
  ['log10', 1.0001, '4.342727686266485472755208e-5', '3f06c4b5defc34d6'],
  ['log10', 2, '0.3010299956639811952137389', '3fd34413509f79ff'],
  ['log10', 10, '1.0', '3ff0000000000000'],
  ['log10', 1000, '3.0', '4008000000000000'],
  ['log10', 65025, '4.813080360867910341242918', '40134098235bca4b'],
  ['log10', 12345.678, '4.091514945509201270559869', '40105db618083a9e'],
  ['log10', 1e300, '300.0000000000000000228025', '4072c00000000000'],
];

const bitsOf = (x: number): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(x);
  return bytes.toString('hex');
};
/** Distance from a normal number to the next. */
const unitOf = (x: number): number => 2 ** (Math.floor(Math.log2(Math.abs(x))) - 52);

test.each(table)('%s %d is %s', (name, x, value, bits) => {
  const actual = functions[name](x);
  expect(bitsOf(actual)).toBe(bits);
  if (Number(value) === 0) expect(actual).toBe(0);
  else expect(Math.abs(actual - Number(value)) / unitOf(Number(value))).toBeLessThanOrEqual(2);
});

test('sine and cosine lie on the unit circle for every angle', () => {
  for (let i = -2_000; i <= 2_000; i++) {
    const x = i / 128;
    expect(Math.abs(exactSin(x) * exactSin(x) + exactCos(x) * exactCos(x) - 1)).toBeLessThan(1e-15);
  }
});

test('powers of ten and of e', () => {
  for (let n = -300; n <= 300; n++) expect(exactLog10(Number(`1e${n}`))).toBeCloseTo(n, 12);
  for (let x = -600; x <= 600; x += 7.3) expect(exactExp(x) * exactExp(-x)).toBeCloseTo(1, 12);
  expect(exactExp(-1e9)).toBe(0);
});

test('arguments out of range throw', () => {
  for (const x of [NaN, Infinity, 1e6]) {
    expect(() => exactCos(x)).toThrow(RangeError);
    expect(() => exactExp(x)).toThrow(RangeError);
  }
  for (const x of [NaN, 0, -1]) expect(() => exactLog10(x)).toThrow(RangeError);
  expect(exactLog10(Infinity)).toBe(Infinity);
});
