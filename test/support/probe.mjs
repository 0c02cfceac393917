// Runs in a pod, without a file of its own: `node --input-type=module -e ... TARGETS EXPECTED`, both in JSON: { name: [host, port] } and names. Connects to all
// targets, and again until it has twice reached those that are expected and no others: a pod may start before its node's policies know it. The names of those that
// it reached last are the pod's last message.
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const [targets, expected] = process.argv.slice(1).map((text) => JSON.parse(text));
const attemptMs = 2_000;
const pauseMs = 200;

/** Whether something answers at the address; a refusal comes from the target, unless that is a Service without a pod that is ready. */
const answers = ([host, port]) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: attemptMs });
    const end = (isReached) => {
      socket.destroy();
      resolve(isReached);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', ({ code }) => end(code === 'ECONNREFUSED'));
  });

async function isAsExpected() {
  const names = Object.keys(targets);
  const answered = await Promise.all(names.map((name) => answers(targets[name])));
  const reached = JSON.stringify(names.filter((_, i) => answered[i]).sort());
  writeFileSync('/dev/termination-log', reached);
  return reached === JSON.stringify([...expected].sort());
}

while (!((await isAsExpected()) && (await isAsExpected()))) await delay(pauseMs);
