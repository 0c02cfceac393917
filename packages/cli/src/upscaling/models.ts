/** Generators that come with the command: checkpoints that `scripts/build.mjs` copies. */
export const modelNames = ['srgan', 'srresnet-mse'] as const;
export type ModelName = (typeof modelNames)[number];

export const defaultModel: ModelName = 'srgan';
