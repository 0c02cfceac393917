import type { LpipsNetwork } from '@fourfold/weights';

/** LPIPS's networks by the names that its authors give them. */
export const lpipsNetworks: Record<LpipsChoice, LpipsNetwork> = { alex: 'alexnet', vgg: 'vgg16' };
export const lpipsChoices = ['alex', 'vgg'] as const;
export type LpipsChoice = (typeof lpipsChoices)[number];
