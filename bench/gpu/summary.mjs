// The table and the verdict at the end of the check.

const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

/** Names and milliseconds of the contest, a row for each phase and precision: the best median of the rounds. */
function contestRows(facts) {
  const rows = new Map();
  for (const { dtype, ms } of facts.filter(({ ms }) => ms)) {
    for (const [contender, phases] of Object.entries(ms)) {
      for (const [phase, { ms: median }] of Object.entries(phases)) {
        const row = rows.get(`${phase}, ${dtype}`) ?? new Map();
        row.set(contender, Math.min(median, row.get(contender) ?? Infinity));
        rows.set(`${phase}, ${dtype}`, row);
      }
    }
  }
  return rows;
}

/** How each step ended, and below it the contest's milliseconds. */
export function tableOf(results, device) {
  const lines = [
    `Check on ${device}`,
    '',
    '| step | result | seconds | reason |',
    '| --- | --- | --- | --- |',
    ...results.map(
      ({ step, result, seconds, reason }) =>
        `| ${step} | ${result} | ${seconds} | ${cell(reason ?? '').slice(0, 300)} |`,
    ),
  ];
  const rows = contestRows(results.find(({ step }) => step === 'contest')?.facts ?? []);
  const contenders = [...new Set([...rows.values()].flatMap((row) => [...row.keys()]))];
  if (contenders.length > 0) {
    lines.push('', `| ms an iteration | ${contenders.join(' | ')} |`, `| --- |${' --- |'.repeat(contenders.length)}`);
    for (const [name, row] of rows) {
      lines.push(`| ${name} | ${contenders.map((contender) => row.get(contender)?.toFixed(2) ?? '-').join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** One sentence: what failed, and what could not run. */
export function verdictOf(results) {
  const named = (wanted) => results.filter(({ result }) => result === wanted).map(({ step }) => step);
  const [failed, skipped] = [named('failed'), named('skipped')];
  const rest = skipped.length > 0 ? `; skipped: ${skipped.join(', ')}` : '';
  return failed.length > 0
    ? `${failed.length} of ${results.length} steps failed: ${failed.join(', ')}${rest}`
    : `Every step passed${rest}`;
}
