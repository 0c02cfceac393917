const unknown = '–';
const whole = new Intl.NumberFormat('en');

/** @param {number} value */
export const count = (value) => whole.format(value);

/**
 * A number with `digits` digits after the decimal point. NaN and infinity cross the wire as null.
 *
 * @param {number | null | undefined} value
 * @param {number} digits
 */
export const fixed = (value, digits) => (value === null || value === undefined ? unknown : value.toFixed(digits));

/**
 * A number of any size, with about three digits.
 *
 * @param {number | null | undefined} value
 */
export function short(value) {
  if (value === null || value === undefined) return unknown;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3)
    return value
      .toExponential(2)
      .replace(/\.?0+e/, 'e')
      .replace('e+', 'e');
  return size >= 1000 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/**
 * A duration in its two largest units.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return `${rounded} s`;
  const minutes = Math.round(rounded / 60);
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(rounded / 3600);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
