/** The place among `size` pixels that a place beyond them reflects, the pixel at the edge repeated: -1 is 0, -2 is 1, and likewise at the other end. */
export function reflected(place: number, size: number): number {
  const period = 2 * size;
  const within = ((place % period) + period) % period;
  return within < size ? within : period - 1 - within;
}
