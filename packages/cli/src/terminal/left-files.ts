import type { Chosen } from '@fourfold/data-loader';
import { formatTable } from './table.js';

/** How many files left out for one reason are listed one by one. */
const listedAReason = 20;

/** Files left out, each with its reason; many with the same reason share a line. */
export function describeLeft(left: Chosen['left']): string {
  const count = new Map<string, number>();
  for (const { reason } of left) count.set(reason, (count.get(reason) ?? 0) + 1);
  const shown = new Set<string>();
  const rows: string[][] = [];
  for (const { file, reason } of left) {
    const others = (count.get(reason) ?? 1) - 1;
    if (others < listedAReason) rows.push([`  ${file}`, reason]);
    else if (!shown.has(reason)) rows.push([`  ${file} and ${others} more`, reason]);
    shown.add(reason);
  }
  return formatTable(rows, ['left', 'left']);
}
