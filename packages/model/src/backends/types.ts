import type { BackendName, WorkersConfig } from '@fourfold/common';

/** A started backend. Workers for which these are equal get bit-identical results. */
export interface BackendInfo {
  backend: BackendName;
  version: string;
  /** Model name of the device. */
  device: string;
  instructionSet: string;
  threads: number;
  precision: WorkersConfig['precision'];
}

/** Whether a backend can be used here, and if not, why. */
export interface BackendProbe {
  backend: BackendName;
  found: boolean;
  /** What was found, or why the backend cannot be used and what to do about it. */
  detail: string;
  /** Found, but too slow for `auto` to take it. */
  onlyByName?: boolean;
}

/** Which backend to use, and how. */
export type BackendChoice = Pick<WorkersConfig, 'backend' | 'device' | 'precision' | 'threads'>;
