/** The values of `workers.backend` and of `--backend`: each backend, and the best one found. */
export const backendChoices = ['auto', 'torch', 'tensorflow', 'webgpu', 'wasm', 'cpu'] as const;

/** The values of `checkpoints.bestBy`: the highest PSNR or SSIM, or the lowest LPIPS. */
export const bestByChoices = ['psnr', 'ssim', 'lpips'] as const;

/** The values of `validation.lpips` and of `--lpips`: the names that the authors of LPIPS give its networks. */
export const lpipsChoices = ['alex', 'vgg'] as const;
export type LpipsChoice = (typeof lpipsChoices)[number];
