const scaled = (value: number, base: number, units: readonly string[]): string => {
  const power =
    value === 0 ? 0 : Math.min(units.length - 1, Math.max(0, Math.floor(Math.log(Math.abs(value)) / Math.log(base))));
  return `${digits(value / base ** power)}${units[power]}`;
};

const digits = (value: number): string => String(Number(value.toPrecision(3)));

const seconds = (value: number): string => {
  if (value !== 0 && Math.abs(value) < 1) return `${digits(value * 1000)} ms`;
  if (Math.abs(value) < 60) return `${digits(value)} s`;
  return Math.abs(value) < 3600 ? `${digits(value / 60)} min` : `${digits(value / 3600)} hours`;
};

/** A value in one of Grafana's units, roughly as Grafana formats it. */
export function inUnit(value: number, unit: string): string {
  switch (unit) {
    case 's':
      return seconds(value);
    case 'percentunit':
      return `${digits(value * 100)}%`;
    case 'bytes':
      return scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB']);
    case 'Bps':
      return scaled(value, 1000, [' B/s', ' kB/s', ' MB/s', ' GB/s', ' TB/s']);
    case 'sci':
      return value.toExponential();
    case 'short':
      return scaled(value, 1000, ['', ' K', ' Mil', ' Bil']);
    default:
      return `${digits(value)} ${unit}`;
  }
}
