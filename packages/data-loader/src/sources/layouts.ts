import { FourfoldError } from '@fourfold/common';
import { isPictureName, whyNoPicture } from '@fourfold/imaging';
import type { Source, SourceFile } from './source.js';

/*
 * The data sets of the paper and of its successors, recognised by the names of their files alone. Pictures that match no rule are
 * ordinary photographs.
 */

/** The parts into which its makers divide a data set. */
export type Part = 'train' | 'validation' | 'test';
export const parts: readonly Part[] = ['train', 'validation', 'test'];

/** What a picture's name says: the data set, and what the picture is in it. */
export interface Known {
  set: string;
  part?: Part;
  /**
   * `derived`: made from another picture of the set: small, or upscaled by somebody. `cropped`: a photograph with its edges cut off,
   * which counts only if the set's uncropped ones are missing.
   */
  role: 'photograph' | 'derived' | 'cropped';
  /** Equal for a photograph and its official LR picture at a quarter of its size. */
  pair?: string;
}

type Rule = [pattern: RegExp, known: (match: string[]) => Known];

const partNames: Record<string, Part> = { train: 'train', valid: 'validation', val: 'validation', test: 'test' };
const partOf = (name: string | undefined): Part | undefined => partNames[name?.toLowerCase() ?? ''];
const benchmarkNames: Record<string, string> = {
  set5: 'Set5',
  set14: 'Set14',
  urban100: 'Urban100',
  manga109: 'Manga109',
};
/** BSD100, B100 and BSDS100 are the same: the test part of BSD300. */
const benchmarkOf = (name: string): string => benchmarkNames[name.toLowerCase()] ?? 'BSD100';

/** The first that matches counts. Names begin with the folders that lead to the source. */
const rules: Rule[] = [
  [
    /(?:^|\/)DIV2K_(train|valid|test)_HR[^/]*\/(?:.*\/)?(\d{4})\.png$/i,
    ([, part, id]) => div2k(part, id, 'photograph'),
  ],
  [
    /(?:^|\/)DIV2K_(train|valid|test)_LR_bicubic[^/]*\/(?:.*\/)?(\d{4})x4\.png$/i,
    ([, part, id]) => div2k(part, id, 'derived'),
  ],
  [/(?:^|\/)DIV2K_(train|valid|test)_LR_/i, ([, part]) => ({ ...div2k(part, '', 'derived'), pair: undefined })],
  [
    /(?:^|\/)(?:(train|val|test)\/(?:.*\/)?)?(n\d{8})\/\2_\d+\.jpe?g$/i,
    ([, part]) => ({ set: 'ImageNet', part: partOf(part) ?? 'train', role: 'photograph' }),
  ],
  [
    /(?:^|\/)ILSVRC2012_(val|test)_\d{8}\.jpe?g$/i,
    ([, part]) => ({ set: 'ImageNet', part: partOf(part), role: 'photograph' }),
  ],
  [/(?:^|\/)mirflickr(?:25k)?\/(?:.*\/)?im\d+\.jpg$/i, () => ({ set: 'MirFlickr25k', role: 'photograph' })],
  // What others publish beside the originals of the benchmarks: SelfExSR's, EDSR's and BasicSR's archives.
  [
    /(?:^|\/)(set5|set14|bsds?100|b100|urban100|manga109)\/(?:.*\/)?(?:image_SRF_[^4]\/|LR|[^/]*bicubic|[^/]*_SRF_\d+_(?!HR\b))/i,
    ([, name]) => ({ set: benchmarkOf(name), part: 'test', role: 'derived' }),
  ],
  [
    /(?:^|\/)(set5|set14|bsds?100|b100|urban100|manga109)\/(?:.*\/)?GTmod\d+\//i,
    ([, name]) => ({ set: benchmarkOf(name), part: 'test', role: 'cropped' }),
  ],
  [
    /(?:^|\/)(set5|set14|bsds?100|b100|urban100|manga109)\//i,
    ([, name]) => ({ set: benchmarkOf(name), part: 'test', role: 'photograph' }),
  ],
  [
    /(?:^|\/)BSDS?(300|500)[^/]*\/(?:.*\/)?(train|val|test)\/\d+\.jpg$/i,
    ([, size, part]) => ({
      set: size === '300' && part.toLowerCase() === 'test' ? 'BSD100' : `BSD${size}`,
      part: partOf(part),
      role: 'photograph',
    }),
  ],
];

const div2k = (part: string, id: string, role: Known['role']): Known => ({
  set: 'DIV2K',
  part: partOf(part),
  role,
  pair: `${part.toLowerCase()}/${id}`,
});

/** What a picture's name, with the folders that lead to it, says. */
function recognise(path: string): Known | undefined {
  for (const [pattern, known] of rules) {
    const match = pattern.exec(path);
    if (match) return known(match);
  }
  return undefined;
}

/** A source's photographs, and why its other files are left out. */
export interface Chosen {
  /** The data set that all of the photographs belong to, as the paper calls it, if the names are recognised. */
  set?: string;
  /** The part that was chosen, if there are several. */
  part?: Part;
  /** In ascending order of name. */
  photographs: SourceFile[];
  /** Official LR pictures, by the name of the photograph. */
  lr: Map<string, SourceFile>;
  left: { file: string; reason: string }[];
}

/**
 * The photographs of a source. Of a data set that comes in several parts, one is chosen: `wanted`, or the first that exists in the
 * order of `preference`. Throws `invalid` if no photograph is recognised as one of the wanted part.
 */
export function choosePhotographs(source: Source, preference: readonly Part[], wanted?: Part | 'all'): Chosen {
  const left = [...source.unusable];
  const found: { file: SourceFile; known?: Known }[] = [];
  const lrByPair = new Map<string, SourceFile>();
  for (const file of source.files) {
    const known = recognise(`${source.context}/${file.name}`);
    if (!isPictureName(file.name)) left.push({ file: file.name, reason: whyNoPicture(file.name) });
    else if (known?.role !== 'derived') found.push({ file, known });
    else {
      left.push({ file: file.name, reason: madeFrom(known) });
      if (known.pair !== undefined) lrByPair.set(known.pair, file);
    }
  }
  const whole = new Set(found.filter(({ known }) => known?.role === 'photograph').map(({ known }) => known?.set));
  const pictures = found.filter(({ file, known }) => {
    if (known?.role !== 'cropped' || !whole.has(known.set)) return true;
    left.push({ file: file.name, reason: madeFrom(known) });
    return false;
  });
  const existing = new Set(pictures.map(({ known }) => known?.part));
  const first = preference.find((part) => existing.has(part));
  const part = wanted === 'all' ? undefined : (wanted ?? first);
  if (part !== undefined && !existing.has(part)) throw noSuchPart(source, part, existing);
  const taken = pictures.filter(({ file, known }) => {
    if (part === undefined || known?.part === undefined || known.part === part) return true;
    left.push({ file: file.name, reason: `of the ${known.part} part` });
    return false;
  });
  const sets = new Set(taken.map(({ known }) => known?.set));
  const lr = new Map<string, SourceFile>();
  for (const { file, known } of taken) {
    const pair = known?.pair === undefined ? undefined : lrByPair.get(known.pair);
    if (pair) lr.set(file.name, pair);
  }
  const photographs = taken.map(({ file }) => file);
  return { set: sets.size === 1 ? [...sets][0] : undefined, part, photographs, lr, left };
}

const madeFrom = ({ set }: Known): string => `made from a photograph of ${set}`;

function noSuchPart({ title }: Source, wanted: Part, existing: ReadonlySet<Part | undefined>): FourfoldError {
  const others = parts.filter((part) => existing.has(part));
  const hint =
    others.length > 0 ? `name the ${others.join(' or ')} part` : 'omit --part: these names are not of a known part';
  return new FourfoldError('invalid', `${title} has no ${wanted} part`, { hint });
}
