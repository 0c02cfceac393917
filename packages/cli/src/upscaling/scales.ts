/** The sizes that a picture can be made, as multiples of its width and height. */
export const scales = [2, 3, 4] as const;
export type Scale = (typeof scales)[number];
