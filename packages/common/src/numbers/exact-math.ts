/*
 * Functions on whose bits results depend, computed by additions, multiplications and divisions alone: JavaScript's own functions may differ
 * in the last bit between engines and their versions. The methods and constants are those of fdlibm (Sun Microsystems 1993: "Permission to
 * use, copy, modify, and distribute this software is freely granted"), with an error below one unit in the last place.
 */

const words = new Uint32Array(2);
const double = new Float64Array(words.buffer);
/** The word with the sign, the exponent and the upper part of the mantissa; hosts are little-endian. */
const highWord = (x: number): number => {
  double[0] = x;
  return words[1];
};
const exponentOf = (x: number): number => (highWord(x) >>> 20) & 0x7ff;
/** x without the lower part of its mantissa. */
function upperHalf(x: number): number {
  double[0] = x;
  words[0] = 0;
  return double[0];
}
/** x times 2^by, for results that are normal numbers. */
function scaled(x: number, by: number): number {
  double[0] = x;
  words[1] += by << 20;
  return double[0];
}

/** Pi/2 in pieces of 33 bits, and the remainder after each. */
const halfPi = [
  [1.57079632673412561417, 6.07710050650619224932e-11],
  [6.0771005063039659766e-11, 2.02226624879595063154e-21],
] as const;
const largestAngle = 1e5;

/** x minus the nearest multiple of pi/2, as the sum y + rest, and that multiple modulo 4. */
function reduced(x: number): { quarter: number; y: number; rest: number } {
  if (!(Math.abs(x) <= largestAngle)) throw new RangeError(`angle ${x} is out of range`);
  const quarter = Math.round(x * 0.636619772367581382433);
  let begin = x - quarter * halfPi[0][0];
  let rest = quarter * halfPi[0][1];
  // If x is close to the multiple, the first piece is not precise enough.
  if (quarter !== 0 && exponentOf(x) - exponentOf(begin - rest) > 16) {
    const whole = begin;
    const next = quarter * halfPi[1][0];
    begin = whole - next;
    rest = quarter * halfPi[1][1] - (whole - begin - next);
  }
  const y = begin - rest;
  return { quarter: ((quarter % 4) + 4) % 4, y, rest: begin - y - rest };
}

/** Sine of y + rest, up to pi/4. */
function smallSin(y: number, rest: number): number {
  const z = y * y;
  const v = z * y;
  const r =
    8.33333333332248946124e-3 +
    z *
      (-1.98412698298579493134e-4 +
        z * (2.75573137070700676789e-6 + z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)));
  const third = -1.66666666666666324348e-1;
  return rest === 0 ? y + v * (third + z * r) : y - (z * (0.5 * rest - v * r) - rest - v * third);
}

/** Cosine of y + rest, up to pi/4. */
function smallCos(y: number, rest: number): number {
  const z = y * y;
  const r =
    z *
    (4.16666666666666019037e-2 +
      z *
        (-1.38888888888741095749e-3 +
          z *
            (2.48015872894767294178e-5 +
              z * (-2.75573143513906633035e-7 + z * (2.0875723212981748279e-9 + z * -1.13596475577881948265e-11)))));
  const size = Math.abs(y);
  if (size < 0.3) return 1 - (0.5 * z - (z * r - y * rest));
  // About a quarter of y, so that the first subtraction from 1 is exact.
  const first = size > 0.78125 ? 0.28125 : upperHalf(size / 4);
  return 1 - first - (0.5 * z - first - (z * r - y * rest));
}

/** Sine of an angle up to 1e5. */
export function exactSin(x: number): number {
  const { quarter, y, rest } = reduced(x);
  const value = quarter % 2 === 0 ? smallSin(y, rest) : smallCos(y, rest);
  return quarter < 2 ? value : -value;
}

/** Cosine of an angle up to 1e5. */
export function exactCos(x: number): number {
  const { quarter, y, rest } = reduced(x);
  const value = quarter % 2 === 0 ? smallCos(y, rest) : smallSin(y, rest);
  return quarter === 0 || quarter === 3 ? value : -value;
}

const ln2 = [6.9314718036912381649e-1, 1.90821492927058770002e-10] as const;

/** e^x; 0 below -700, which is precise enough here. */
export function exactExp(x: number): number {
  if (x < -700) return 0;
  if (!(x <= 700)) throw new RangeError(`exponent ${x} is out of range`);
  const k = Math.round(x * 1.442695040888963387);
  const high = x - k * ln2[0];
  const low = k * ln2[1];
  const r = high - low;
  const t = r * r;
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  return scaled(1 - (low - (r * c) / (2 - c) - high), k);
}

/** The logarithm to base 10 of a positive normal number, or of infinity. */
export function exactLog10(x: number): number {
  if (x === Infinity) return x;
  if (!(x >= 2.2250738585072014e-308)) throw new RangeError(`${x} has no logarithm here`);
  // x = 2^k times a number between sqrt(1/2) and sqrt(2).
  let k = exponentOf(x) - 1023;
  let f = scaled(x, -k);
  if (f > Math.SQRT2) {
    f /= 2;
    k++;
  }
  f -= 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const r =
    w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1)) +
    z *
      (6.66666666666673513e-1 +
        w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const half = 0.5 * f * f;
  const ln = f - (half - s * (half + r));
  return k * 3.69423907715893078616e-13 + 4.34294481903251816668e-1 * ln + k * 3.01029995663611771306e-1;
}
