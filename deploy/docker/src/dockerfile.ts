/** A step of a Dockerfile, such as `RUN` with its command or `COPY` with its arguments. */
export interface Step {
  instruction: string;
  text: string;
}

/** A stage: its name, the stage or image it begins with, and its steps. */
export interface Stage {
  name: string;
  from: string;
  steps: Step[];
}

/** The stages of a Dockerfile; comments are removed, continued lines are joined. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: Stage[] = [];
  for (const line of lines) {
    const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? ['', '', line];
    const from = /^(\S+) AS (\S+)$/.exec(rest);
    if (instruction === 'FROM' && from) stages.push({ from: from[1], name: from[2], steps: [] });
    else stages.at(-1)?.steps.push({ instruction, text: rest });
  }
  return stages;
}

/** The steps of a stage after those of the stages that it begins with. */
export function stepsOf(stages: readonly Stage[], name: string): Step[] {
  const stage = stages.find((one) => one.name === name);
  return stage ? [...stepsOf(stages, stage.from), ...stage.steps] : [];
}
