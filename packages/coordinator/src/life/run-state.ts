/** What a run is doing, in words, for the status. */
export interface RunState {
  now(): string;
  set(state: string): void;
  /** Show `state` while `act` runs. */
  during: <T>(state: string, act: () => Promise<T>) => Promise<T>;
}

export function createRunState(): RunState {
  let state = 'training';
  return {
    now: () => state,
    set: (next) => (state = next),
    async during(during, act) {
      const before = state;
      state = during;
      const result = await act();
      state = before;
      return result;
    },
  };
}
