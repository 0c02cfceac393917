// Runs in a pod, without a file of its own: `node --input-type=module -e ... TARGETS EXPECTED`, both in JSON: { name: [host, port] } and names. Connects to all
// targets until those that are expected have been reached, and to the others once more; writes the names of those reached as the pod's last message.
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const [targets, expected] = process.argv.slice(1).map((text) => JSON.parse(text));
const attemptMs = 2_000;
const pauseMs = 200;
const reached = new Set();

const attempt = ([name, [host, port]]) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: attemptMs });
    const end = (isReached) => {
      if (isReached) reached.add(name);
      socket.destroy();
      resolve();
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    // A refusal comes from the target, unless that is a Service without a pod that is ready.
    socket.once('error', ({ code }) => end(code === 'ECONNREFUSED'));
  });
const attemptAll = () =>
  Promise.all(
    Object.entries(targets)
      .filter(([name]) => !reached.has(name))
      .map(attempt),
  );

await attemptAll();
while (expected.some((name) => !reached.has(name))) {
  await delay(pauseMs);
  await attemptAll();
}
await attemptAll();
writeFileSync('/dev/termination-log', JSON.stringify([...reached].sort()));
