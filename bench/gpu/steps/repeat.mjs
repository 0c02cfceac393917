// The same bits twice in a process and in another one, kernel by kernel and as graphs.
import { trainShortly } from '../../../test/support/short-training.ts';
import { device, expect, isCuda, report, run, small } from './step.mjs';

const precisions = isCuda ? ['f32', 'tf32', 'bf16'] : ['f32', 'bf16'];
const kinds = small ? ['gan'] : ['mse', 'gan'];
const iterations = small ? 3 : 20;

/** The weights after 20 iterations. */
const weightsOf = async (kind, precision, graphs) =>
  (await trainShortly(kind, { backend: 'torch', device, precision, threads: 0 }, { graphs, iterations })).weights;

async function allWeights() {
  const found = {};
  for (const kind of kinds) {
    for (const precision of precisions) {
      for (const graphs of isCuda ? [false, true] : [false]) {
        found[`${kind}, ${precision}, ${graphs ? 'graphs' : 'eager'}`] = await weightsOf(kind, precision, graphs);
      }
    }
  }
  return found;
}

if (process.argv[3] === 'once') {
  report(await allWeights());
} else {
  const other = run(process.execPath, [process.argv[1], process.argv[2], 'once']);
  const [first, again] = [await allWeights(), await allWeights()];
  const inOther = JSON.parse(await other);
  const same = Object.keys(first).filter((name) => first[name] === again[name] && first[name] === inOther[name]);
  const graphsAreEager = Object.keys(first)
    .filter((name) => name.endsWith('graphs'))
    .map((name) => [name, first[name] === first[name.replace('graphs', 'eager')]]);
  report({ same, graphsEqualEager: Object.fromEntries(graphsAreEager), hashes: first });
  const different = Object.keys(first).filter((name) => !same.includes(name));
  expect(different.length === 0, `not the same bits twice: ${different.join('; ')}`);
  const unlike = graphsAreEager.filter(([, isEqual]) => !isEqual).map(([name]) => name);
  expect(unlike.length === 0, `graphs give other bits than eager kernels: ${unlike.join('; ')}`);
  if (!isCuda) report({ note: 'graphs: a CPU has none' });
}
