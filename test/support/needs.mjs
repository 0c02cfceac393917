import { execFileSync } from 'node:child_process';

/*
 * What tests need beyond Node.js and the npm packages. A test that lacks something skips itself, except for what `.ci/run` has set up:
 * there it fails.
 */

/** What was set up, as `.ci/run` lists it. */
const setUp = (process.env.FOURFOLD_SET_UP ?? '').split(' ');

/** Whether a test lacks `need`, so that it is skipped; throws if that was set up. `detail` says why it is not found. */
export function lacks(need, found, detail) {
  if (found || !setUp.includes(need)) return !found;
  throw new Error(`${need} was set up, but this test does not find it${detail ? `: ${detail}` : ''}`);
}

/** The Python that FOURFOLD_PYTHON names, if it can import these modules; undefined otherwise. */
export function pythonWith(modules) {
  const python = process.env.FOURFOLD_PYTHON;
  if (!python) return undefined;
  try {
    execFileSync(python, ['-c', `import ${modules}`], { stdio: 'ignore' });
    return python;
  } catch {
    return undefined;
  }
}
