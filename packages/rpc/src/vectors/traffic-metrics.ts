import type { Metrics } from '@fourfold/common';
import type { Traffic } from './traffic.js';

/** Add the bytes that a process has sent and received in the exchange. */
export function addTrafficMetrics(
  { counter }: Metrics,
  traffic: Traffic,
  directions: Record<keyof Traffic, 'sent' | 'received'>,
): void {
  counter(
    'fourfold_exchange_bytes_total',
    'Bytes of parameters and gradients. A write to shared memory counts once, however many processes read it.',
    ['direction', 'kind', 'transport'],
    () =>
      (['parameters', 'gradients'] as const).flatMap((kind) =>
        Object.entries(traffic[kind]).map(
          ([transport, bytes]) => [{ direction: directions[kind], kind, transport }, bytes] as const,
        ),
      ),
  );
}
