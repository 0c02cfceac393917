/** The values of `workers.backend` and of `--backend`: each backend, and the best one found. */
export const backendChoices = ['auto', 'torch', 'tensorflow', 'wasm', 'cpu'] as const;
