import { expect, test } from 'vitest';
import { startHttpServer } from './http-server.js';
import { createMetrics, stateReadings, type Metrics, type Readings } from './metrics.js';

/** A scrape of our metrics. */
async function scrape({ route }: Metrics): Promise<{ lines: string[]; type: string | null; status: number }> {
  const options = {
    listen: '127.0.0.1:0',
    whyNotReady: () => undefined,
    routes: { '/metrics': route },
    onError: () => undefined,
  };
  const server = await startHttpServer(options);
  const response = await fetch(`http://${server.address}/metrics`);
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('fourfold_'));
  await server.close();
  return { lines, type: response.headers.get('content-type'), status: response.status };
}

test('counters and gauges are read at each scrape; an unknown value is left out', async () => {
  const metrics = createMetrics('tiger');
  let count = 1;
  let gauge: Readings = undefined;
  metrics.counter('fourfold_things_total', 'Things.', [], () => count);
  metrics.counter('fourfold_bytes_total', 'Bytes.', ['kind'], () => [
    [{ kind: 'a' }, count],
    [{ kind: 'b' }, 0],
  ]);
  metrics.gauge('fourfold_level', 'Level.', [], () => Promise.resolve(gauge));
  expect((await scrape(metrics)).lines).toEqual([
    'fourfold_things_total{run="tiger"} 1',
    'fourfold_bytes_total{kind="a",run="tiger"} 1',
    'fourfold_bytes_total{kind="b",run="tiger"} 0',
  ]);
  count = 5;
  for (const [value, text] of [
    [0, '0'],
    [NaN, 'Nan'],
    [Infinity, '+Inf'],
  ] as const) {
    gauge = value;
    const { lines, type } = await scrape(metrics);
    expect(lines).toEqual([
      'fourfold_things_total{run="tiger"} 5',
      'fourfold_bytes_total{kind="a",run="tiger"} 5',
      'fourfold_bytes_total{kind="b",run="tiger"} 0',
      `fourfold_level{run="tiger"} ${text}`,
    ]);
    expect(type).toContain('text/plain');
  }
  gauge = undefined;
  expect((await scrape(metrics)).lines).toHaveLength(3);
});

test('a histogram of seconds has all its labels from the start', async () => {
  const metrics = createMetrics('tiger');
  const observe = metrics.seconds('fourfold_wait_seconds', 'Waits.', { network: ['g', 'd'], part: ['x', 'y'] });
  observe({ network: 'g', part: 'x' }, 0.2);
  observe({ network: 'g', part: 'x' }, 400);
  const { lines } = await scrape(metrics);
  const counts = lines.filter((line) => line.startsWith('fourfold_wait_seconds_count'));
  expect(counts).toHaveLength(4);
  expect(counts).toContain('fourfold_wait_seconds_count{run="tiger",network="g",part="x"} 2');
  expect(lines).toContain('fourfold_wait_seconds_bucket{le="0.1",run="tiger",network="g",part="x"} 0');
  expect(lines).toContain('fourfold_wait_seconds_bucket{le="0.25",run="tiger",network="g",part="x"} 1');
  expect(lines).toContain('fourfold_wait_seconds_sum{run="tiger",network="g",part="x"} 400.2');
});

test('the current state is 1, the others are 0', () => {
  expect(stateReadings('state', ['a', 'b'], 'b')).toEqual([
    [{ state: 'a' }, 0],
    [{ state: 'b' }, 1],
  ]);
});

test('a metric that cannot be read fails the scrape', async () => {
  const metrics = createMetrics('tiger');
  metrics.gauge('fourfold_level', 'Level.', [], () => {
    throw new Error('no');
  });
  expect((await scrape(metrics)).status).toBe(500);
});
