/** The part of jStat that is used; the package has no types. */
declare module 'jstat' {
  const jstat: {
    studentt: {
      /** The quantile of Student's t at probability `p` in (0, 1). */
      inv(p: number, degreesOfFreedom: number): number;
    };
  };
  export default jstat;
}
