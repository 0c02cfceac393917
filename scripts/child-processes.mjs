// Programs that scripts start, which do not outlive them. Every script of this repository starts its programs here; the linter sees
// to it. Uses Node.js alone: what installs the packages needs it, too.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers';

const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
/** How long what was asked to end may take, and how long after that this process itself. */
const graceMs = 5_000;
/** Only a group of its own is ended whole, and Windows has none. */
const hasGroups = process.platform !== 'win32';

const running = new Set();
let endedBy;

/**
 * Start a program as `spawn` does, in a group of its own. A signal that ends this process ends the group, first by SIGTERM, after
 * some seconds by SIGKILL; so does any other end of this process. From a signal on nothing is started any more: it throws, so that
 * the caller unwinds, and this process ends with the signal's exit code at the latest when the group is gone.
 */
export function startChild(program, args, options = {}) {
  if (endedBy) throw new Error(`${program} is not started: this process is being ended by ${endedBy}`);
  // Before there is anything to end.
  if (running.size === 0) handle(true);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options, detached: hasGroups });
  running.add(child);
  child.once('close', () => {
    running.delete(child);
    if (running.size === 0 && !endedBy) handle(false);
    // Others of its group may go on without it.
    if (endedBy && child.pid !== undefined) signalGroup(child, 'SIGKILL');
  });
  return child;
}

/**
 * Run a program to its end; rejects only where it does not start. `output` is both streams as they came; `onLine` hears each line of
 * stderr meanwhile.
 */
export function runChild(program, args, { onLine, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = startChild(program, args, options);
    if (onLine) createInterface({ input: child.stderr }).on('line', onLine);
    const said = { stdout: '', stderr: '', output: '' };
    for (const stream of ['stdout', 'stderr']) {
      child[stream]?.setEncoding('utf8').on('data', (text) => {
        said[stream] += text;
        said.output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...said }));
  });
}

/** The signal that ends this process, where one does. */
export const endingSignal = () => endedBy;

/** A process has these only while it has children: otherwise a signal ends it as ever. */
function handle(on) {
  const change = on ? 'on' : 'off';
  for (const signal of Object.keys(signals)) process[change](signal, end);
  process[change]('exit', endRunning);
}

function end(signal) {
  if (endedBy) return;
  endedBy = signal;
  endRunning();
  process.once('exit', () => (process.exitCode = 128 + signals[signal]));
  setTimeout(() => {
    for (const child of running) signalGroup(child, 'SIGKILL');
    setTimeout(() => process.exit(), graceMs).unref();
  }, graceMs).unref();
}

/** SIGTERM and not SIGKILL: a child that is such a script has children of its own to end. */
function endRunning() {
  for (const child of running) signalGroup(child, 'SIGTERM');
}

function signalGroup(child, signal) {
  try {
    if (hasGroups) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // Nobody of the group is left.
  }
}
