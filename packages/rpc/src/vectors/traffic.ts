/** How vectors are transferred. */
export type Transport = 'shared-memory' | 'stream' | 'grpc';

/** Bytes of wire vectors transferred to or from this process, by kind and transport. */
export type Traffic = Record<'parameters' | 'gradients', Record<Transport, number>>;

/** Counters that start at zero. */
export const createTraffic = (): Traffic => ({
  parameters: { 'shared-memory': 0, stream: 0, grpc: 0 },
  gradients: { 'shared-memory': 0, stream: 0, grpc: 0 },
});
