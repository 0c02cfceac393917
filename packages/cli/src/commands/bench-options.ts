import { Option } from 'commander';
import { wholeNumber } from './arguments.js';

/** After this silence a process of a bench counts as lost: a busy machine is slow. */
export const busySilenceMs = 120_000;

/** An option for a number of iterations or the like, at least `minimum`. */
export const countOption = (flag: string, description: string, minimum: number, value: number): Option =>
  new Option(`${flag} <n>`, description).argParser(wholeNumber(minimum)).default(value);
