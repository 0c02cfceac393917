/** The names that the authors of LPIPS give its networks. */
export const lpipsChoices = ['alex', 'vgg'] as const;
export type LpipsChoice = (typeof lpipsChoices)[number];
