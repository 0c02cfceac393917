import type { RunStatus__Output } from '@fourfold/rpc';
import { filledOf } from '../terminal/progress-bar.js';
import { formatClock, formatCount } from '../terminal/table.js';

/** What a line about a run shows. */
export type TrainingStatus = Pick<
  RunStatus__Output,
  | 'state'
  | 'phase'
  | 'phaseKind'
  | 'iteration'
  | 'iterations'
  | 'iterationsPerSecond'
  | 'losses'
  | 'workers'
  | 'psnr'
  | 'bicubicPsnr'
  | 'lpips'
  | 'bicubicLpips'
  | 'evaluatedIteration'
>;

/** A field in one of its forms. */
interface Form {
  text: string;
  /** Columns that it may need while its value changes, so that the choice of fields depends only on the terminal's width. */
  room: number;
}

/** The fields of a line, in order; one without a form is left out. */
type Fields = Record<
  'phase' | 'iteration' | 'rate' | 'eta' | 'loss' | 'otherLosses' | 'workers' | 'psnr' | 'lpips',
  Form[]
>;

interface Layout {
  fields: Fields;
  separator: string;
}

const widestBar = 20;
const narrowestBar = 8;

/** The run's state in words: phase, pace, losses, workers, PSNR. What matters least goes first if it is wider than `columns`. */
export function describeStatus(status: TrainingStatus, columns = Infinity): string {
  return textOf(fitting(status, columns)).slice(0, columns);
}

/** The same with a bar in front, if there is room for one; `done` is the share that is done. */
export function statusLine(status: TrainingStatus, done: number, columns: number): string {
  // A character in the last column would break the line on some terminals.
  const width = columns - 1;
  const layout = fitting(status, width);
  const text = textOf(layout).slice(0, width);
  const barWidth = Math.min(widestBar, width - Math.max(roomOf(layout), text.length) - 1);
  if (barWidth < narrowestBar) return text;
  const filled = filledOf(barWidth, done);
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${text}`;
}

/** The widest layout that fits in `columns`, or the narrowest. */
function fitting(status: TrainingStatus, columns: number): Layout {
  let layout: Layout = { fields: fieldsOf(status), separator: ' · ' };
  for (const narrower of narrowings(status)) {
    if (roomOf(layout) <= columns) break;
    layout = narrower(layout);
  }
  return layout;
}

/** What makes a line narrower, in this order. 80 columns hold a loss, pace, ETA, workers and PSNR of the longest runs. */
function narrowings(status: TrainingStatus): ((layout: Layout) => Layout)[] {
  const { state, phaseKind, workers, psnr, bicubicPsnr, lpips } = status;
  const put =
    (fields: Partial<Fields>) =>
    (layout: Layout): Layout => ({ ...layout, fields: { ...layout.fields, ...fields } });
  const fewerLosses = ({ fields, ...rest }: Layout): Layout => ({
    ...{ ...rest, fields: { ...fields, otherLosses: fields.otherLosses.slice(0, -1) } },
  });
  const shortPsnr = psnr === undefined ? '' : `PSNR ${psnr.toFixed(2)}`;
  return [
    ...fieldsOf(status).otherLosses.map(() => fewerLosses),
    ...(lpips === undefined ? [] : [put({ lpips: [fixed(`LPIPS ${lpips.toFixed(3)}`)] })]),
    ...(psnr === undefined ? [] : [put({ psnr: [fixed(`${shortPsnr}${inBrackets(bicubicPsnr, 2)}`)] })]),
    ...(state === 'training' ? [put({ phase: [fixed(phaseKind)] })] : []),
    ...(psnr === undefined ? [] : [put({ psnr: [fixed(shortPsnr)] })]),
    (layout) => ({ ...layout, separator: '  ' }),
    put({ workers: [padded(`${workers}w`, '99w')] }),
    put({ lpips: [] }),
    put({ eta: [] }),
    put({ loss: [] }),
    put({ rate: [] }),
  ];
}

const formsOf = (fields: Fields): Form[] => Object.values(fields).flat();

const textOf = ({ fields, separator }: Layout): string =>
  formsOf(fields)
    .flatMap(({ text }) => text || [])
    .join(separator);

const roomOf = ({ fields, separator }: Layout): number =>
  formsOf(fields).reduce((sum, { room }) => sum + room + separator.length, -separator.length);

function fieldsOf(status: TrainingStatus): Fields {
  const { state, phase, phaseKind, iteration, iterations, iterationsPerSecond, workers } = status;
  const remainingMs = ((iterations - iteration) * 1000) / iterationsPerSecond;
  const eta = iterationsPerSecond > 0 ? `ETA ${formatClock(remainingMs)}` : '';
  const [first, ...otherLosses] = lossesOf(status);
  return {
    phase: [fixed(state === 'training' ? `phase ${phase + 1} (${phaseKind})` : state)],
    iteration: [padded(`${iteration}/${iterations}`, `${iterations}/${iterations}`)],
    rate: [padded(rateOf(iterationsPerSecond), '15.9 it/s')],
    eta: [padded(eta, 'ETA 23:59:59')],
    loss: first ? [first] : [],
    otherLosses,
    workers: [padded(formatCount(workers, 'worker'), '99 workers')],
    psnr: psnrOf(status),
    lpips: lpipsOf(status),
  };
}

const fixed = (text: string): Form => padded(text, '');
const padded = (text: string, widest: string): Form => ({ text, room: Math.max(text.length, widest.length) });

/** Iterations a second, or seconds an iteration where that is the larger number. */
function rateOf(perSecond: number): string {
  if (perSecond > 0 && perSecond < 1) return `${threeDigits(1 / perSecond)} s/it`;
  return `${perSecond === 0 ? '0.00' : threeDigits(perSecond)} it/s`;
}

const threeDigits = (value: number): string => (value >= 1000 ? value.toFixed(0) : value.toPrecision(3));

/** Losses by name, the sum first; a sum of one loss is that loss. */
function lossesOf({ losses: { total, ...parts } }: TrainingStatus): Form[] {
  const isSum = total !== undefined && total !== parts['content'];
  const shown = { ...(isSum && { total }), ...parts };
  return Object.entries(shown).map(([name, value]) => {
    const small = value !== 0 && Math.abs(value) < 1e-3;
    return padded(`${words(name)} ${small ? value.toExponential(1) : value.toPrecision(3)}`, `${words(name)} 0.00123`);
  });
}

function psnrOf({ psnr, bicubicPsnr, evaluatedIteration, iterations }: TrainingStatus): Form[] {
  if (psnr === undefined) return [];
  const text = (at: number | undefined) => `PSNR ${psnr.toFixed(2)} dB at ${at}${inBrackets(bicubicPsnr, 2)}`;
  return [padded(text(evaluatedIteration), text(iterations))];
}

const lpipsOf = ({ lpips, bicubicLpips }: TrainingStatus): Form[] =>
  lpips === undefined ? [] : [fixed(`LPIPS ${lpips.toFixed(3)}${inBrackets(bicubicLpips, 3)}`)];

const inBrackets = (bicubic: number | undefined, digits: number): string =>
  bicubic === undefined ? '' : ` (bicubic ${bicubic.toFixed(digits)})`;

/** `discriminatorReal` as `discriminator real`. */
const words = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
