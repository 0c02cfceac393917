/** The parts of a run that are processes of their own. */
export const roles = ['coordinator', 'worker', 'data-loader'] as const;
export type Role = (typeof roles)[number];
