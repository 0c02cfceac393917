// The steps of the check, in order of importance, and how much time each may take.

/**
 * Stages run one after the other, the steps of a stage beside each other. A step's `program` is in steps/, with arguments. It may take
 * `mostSeconds`; `usualSeconds` are kept for it while earlier ones run. A step of the background runs until `awaitsBackground`.
 */
export const stages = [
  [
    { name: 'addon', program: ['addon'], mostSeconds: 100, usualSeconds: 30 },
    { name: 'compile-peer', program: ['compile'], mostSeconds: 180, usualSeconds: 0, isBackground: true },
  ],
  [{ name: 'suite-sample', program: ['suite', '2'], mostSeconds: 40, usualSeconds: 20 }],
  [
    { name: 'suite', program: ['suite', ''], mostSeconds: 90, usualSeconds: 40 },
    { name: 'parity', program: ['parity'], mostSeconds: 90, usualSeconds: 30 },
    { name: 'repeat', program: ['repeat'], mostSeconds: 90, usualSeconds: 30 },
  ],
  [{ name: 'contest', program: ['contest'], mostSeconds: 250, usualSeconds: 130, awaitsBackground: true }],
  [
    { name: 'memory', program: ['memory'], mostSeconds: 60, usualSeconds: 20 },
    { name: 'tensorflow', program: ['tensorflow'], mostSeconds: 30, usualSeconds: 5 },
  ],
  [{ name: 'workers', program: ['workers'], mostSeconds: 80, usualSeconds: 45 }],
  [{ name: 'faults', program: ['faults'], mostSeconds: 80, usualSeconds: 35 }],
  [{ name: 'upscale', program: ['upscale'], mostSeconds: 60, usualSeconds: 25 }],
];

export const stepNames = stages.flat().map(({ name }) => name);

const usualSecondsOf = (stage) => Math.max(0, ...stage.map(({ usualSeconds }) => usualSeconds));

/** The seconds that a step of a stage may take if so many are left for all: the later stages' usual times are kept. */
export function secondsFor(step, later, leftSeconds) {
  const kept = later.reduce((sum, stage) => sum + usualSecondsOf(stage), 0);
  return Math.floor(Math.min(step.mostSeconds, Math.max(leftSeconds - kept, Math.min(step.usualSeconds, leftSeconds))));
}

/** Only the named steps, in their order; the addon is needed by all. */
export const chosenStages = (only) =>
  stages
    .map((stage) => stage.filter(({ name }) => !only || only.includes(name) || name === 'addon'))
    .filter((stage) => stage.length > 0);
