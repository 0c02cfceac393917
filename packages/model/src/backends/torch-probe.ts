import { probe } from '@fourfold/tfjs-torch/probe';

/** tfjs-torch names its own command, which npx finds only beside that package; fourfold's works wherever fourfold does. */
export const namingSetup = (text: string): string => text.replace('npx tfjs-torch setup', 'npx fourfold setup torch');

/** Whether `fourfold setup torch` has been run, and for which libtorch. */
export function probeTorch(): { found: boolean; detail: string } {
  const result = probe();
  if (!result.found) return { found: false, detail: namingSetup(result.reason) };
  const { version, cuda, libtorch } = result.build;
  return { found: true, detail: `libtorch ${version}${cuda ? ' with CUDA' : ''}, ${libtorch}` };
}
