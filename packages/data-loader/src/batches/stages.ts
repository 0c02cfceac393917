/** Seconds for each stage of making batches; stages that overlap count in full. */
export interface StageSeconds {
  /** Fetching and verifying shards. */
  opening: number;
  /** Reading encoded pictures or rows of pixels. */
  reading: number;
  decoding: number;
  /** Cutting and turning crops, and making LR. */
  cutting: number;
}

/** Counts where the time goes. */
export function createStages() {
  const seconds: StageSeconds = { opening: 0, reading: 0, decoding: 0, cutting: 0 };
  /** Add the time since `begunMs` to a stage; returns the time now, when the next begins. */
  const spend = (stage: keyof StageSeconds, begunMs: number): number => {
    const nowMs = performance.now();
    seconds[stage] += (nowMs - begunMs) / 1000;
    return nowMs;
  };
  return {
    spend,
    async timed<T>(this: void, stage: keyof StageSeconds, work: Promise<T>): Promise<T> {
      const begunMs = performance.now();
      const result = await work;
      spend(stage, begunMs);
      return result;
    },
    seconds: (): StageSeconds => ({ ...seconds }),
  };
}

export type Stages = ReturnType<typeof createStages>;
