/** How vectors cross. */
export type Transport = 'shared-memory' | 'grpc';

/** Bytes of wire vectors that have crossed to or from this process, by what they are and how they crossed. */
export type Traffic = Record<'parameters' | 'gradients', Record<Transport, number>>;

/** Counters of what crosses from now on. */
export const createTraffic = (): Traffic => ({
  parameters: { 'shared-memory': 0, grpc: 0 },
  gradients: { 'shared-memory': 0, grpc: 0 },
});
