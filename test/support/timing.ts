/*
 * How long the parts of tests' runs wait for each other: one of these two, for tests on busy machines.
 */

/** Nobody is lost for being slow: only a broken connection means that a part is gone. */
export const patientTiming = {
  leaseMs: 120_000,
  heartbeatMs: 100,
  silenceMs: 60_000,
  termCheckMs: 200,
  patienceMs: 120_000,
  stragglerFactor: 0,
};

/** A part that stands still is lost within seconds. A slow part may be lost too: no test may rely on the opposite. */
export const alertTiming = { ...patientTiming, leaseMs: 4_000, silenceMs: 3_000 };

/** Arguments that make a run alert whose config is patient; all parts of the run get them. */
export const alert = (['leaseMs', 'silenceMs'] as const).flatMap((name) => [
  '--set',
  `timing.${name}=${alertTiming[name]}`,
]);
