/*
 * How long the parts of tests' runs wait for each other: one of these two, for tests run on machines that do ten other things.
 */

/** Nobody is lost for being slow: only a connection that breaks tells that somebody is gone. */
export const patientTiming = {
  leaseMs: 120_000,
  heartbeatMs: 100,
  silenceMs: 60_000,
  termCheckMs: 200,
  patienceMs: 120_000,
  stragglerFactor: 0,
};

/** Who stands still is lost within seconds. So may be who is only slow: no test may count on the opposite. */
export const alertTiming = { ...patientTiming, leaseMs: 4_000, silenceMs: 3_000 };

/** Arguments that make a run alert which is patient by its config; all parts of the run get them. */
export const alert = (['leaseMs', 'silenceMs'] as const).flatMap((name) => [
  '--set',
  `timing.${name}=${alertTiming[name]}`,
]);
