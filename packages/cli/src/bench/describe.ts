import type { LoaderReport } from './loader.js';
import { formatBytes, formatCount, formatTable } from '../terminal/table.js';
import type { Timing } from './laps.js';
import type { ScaleReport } from './scale.js';
import type { StepReport } from './step.js';
import type { TrainReport } from './train.js';
import type { UpdateReport } from './update.js';
import type { LinkBytes } from './update-hosts.js';

const partsHeader = 'where the time goes, ms';

const describeParts = ({ parts }: Pick<Timing, 'parts'>): string =>
  Object.entries(parts)
    .map(([part, ms]) => `${part} ${ms.toFixed(1)}`)
    .join(', ');

/** The bytes that crossed, by the transports that carried any. */
const describeTraffic = (bytes: UpdateReport['gradientBytes']): string =>
  Object.entries(bytes)
    .filter(([, count]) => count > 0)
    .map(([transport, count]) => `${formatBytes(count)} ${transport}`)
    .join(', ');

/** `bench update` as a table. */
export function describeUpdate(workers: number, report: UpdateReport): string {
  const { medianMs, minMs, parameters, gradientBytes, parameterBytes, megabytesPerSecond: rates } = report;
  const [link, ...others] = report.linkBytes ?? [];
  const most = (of: keyof LinkBytes) => formatBytes(Math.max(...others.map((one) => one[of])));
  return [
    `${parameters} parameters, ${formatCount(workers, 'worker')}`,
    formatTable(
      [
        ['median ms', 'min ms', 'gradients', 'parameters', partsHeader],
        [
          medianMs.toFixed(1),
          minMs.toFixed(1),
          describeTraffic(gradientBytes),
          describeTraffic(parameterBytes),
          describeParts(report),
        ],
      ],
      ['right', 'right', 'right', 'right', 'left'],
    ),
    `gradients ${rates.gradients.toFixed(0)} MB/s, parameters ${rates.parameters.toFixed(0)} MB/s`,
    `coordinator: ${report.cpuSeconds.toFixed(2)} s of CPU time an iteration, at most ${formatBytes(report.peakMemoryBytes)}` +
      (link ? `; its link: ${formatBytes(link.sent)} sent, ${formatBytes(link.received)} received` : ''),
    ...(link ? [`the workers’ links: at most ${most('sent')} sent, ${most('received')} received`] : []),
  ].join('\n');
}

/** `bench step` as a table. */
export function describeStep({ kind, timings }: StepReport): string {
  const rows = timings.map((timing) => [
    timing.phase,
    timing.medianMs.toFixed(1),
    timing.minMs.toFixed(1),
    timing.samplesPerSecond.toFixed(2),
    formatBytes(timing.peakMemoryBytes),
    describeParts(timing),
  ]);
  return [
    `${kind.backend} ${kind.version}, ${formatCount(kind.threads, 'thread')} on ${kind.device}`,
    formatTable(
      [['', 'median ms', 'min ms', 'samples/s', 'peak memory', partsHeader], ...rows],
      ['left', 'right', 'right', 'right', 'right', 'left'],
    ),
  ].join('\n');
}

/** `bench scale` as a table. */
export function describeScale(reports: readonly ScaleReport[]): string {
  const rows = reports.map((report) => [
    report.workers,
    report.replicas,
    report.cpuMs.toFixed(1),
    `${report.replicaMs.all.toFixed(2)}, own ${report.replicaMs.own.toFixed(2)}`,
    report.halvesCpuMs.map((ms) => ms.toFixed(1)).join(', '),
    report.iterationMs.toFixed(1),
    `${report.statusMs.median.toFixed(1)}, at most ${report.statusMs.max.toFixed(1)}`,
    formatBytes(report.peakMemoryBytes),
  ]);
  const header = [
    ...['workers', 'replicas', 'CPU ms', 'of a replica', 'first half, second', 'iteration ms'],
    ...['status page ms', 'peak memory'],
  ];
  const table = formatTable(
    [header, ...rows.map((row) => row.map(String))],
    header.map(() => 'right'),
  );
  const where = reports.map((report) => `${formatCount(report.workers, 'worker')}: ${describeParts(report)}`);
  return [table, `${partsHeader}:`, ...where].join('\n');
}

/** `bench train` as a table. */
export function describeTrain({ step, runs }: TrainReport): string {
  const rows = [
    ...step.timings.map(({ phase, medianMs }) => [phase, 'step alone', medianMs, 1000 / medianMs, 1] as const),
    ...runs.map(
      ({ phase, workers, medianMs, iterationsPerSecond, timesStep }) =>
        [phase, `train, ${formatCount(workers, 'worker')}`, medianMs, iterationsPerSecond, timesStep] as const,
    ),
  ].map(([phase, name, medianMs, pace, times]) => [
    phase,
    name,
    medianMs.toFixed(1),
    pace.toFixed(2),
    times.toFixed(2),
  ]);
  return formatTable(
    [['phase', '', 'median ms', 'it/s', 'times the step'], ...rows],
    ['left', 'left', 'right', 'right', 'right'],
  );
}

/** The data path's speed, and where the time of this process and of the data-loader went. */
export function describeLoader(report: LoaderReport): string {
  const { over, encoding, crops, seconds, cropsPerSecond, source } = report;
  const { cpuSecondsPerThousand, loaderCpuSecondsPerThousand } = report;
  const cpu = `CPU time for 1,000 crops: ${cpuSecondsPerThousand.toFixed(3)} s`;
  const loader =
    loaderCpuSecondsPerThousand === undefined
      ? ''
      : `, and ${loaderCpuSecondsPerThousand.toFixed(3)} s in the data-loader`;
  const stages =
    source &&
    (['opening', 'reading', 'decoding', 'cutting'] as const).map(
      (stage) => `${stage} ${source.seconds[stage].toFixed(2)} s`,
    );
  return [
    `${crops} crops of encoding ${encoding} (${over}) in ${seconds.toFixed(1)} s: ${cropsPerSecond.toFixed(0)} crops/s`,
    cpu + loader,
    ...(stages ? [`from the start, side by side: ${stages.join(', ')}`] : []),
  ].join('\n');
}
