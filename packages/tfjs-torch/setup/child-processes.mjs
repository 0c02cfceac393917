// Starts programs that do not outlive the script. Every script in this repository starts its programs here; the linter enforces
// it. Uses only Node.js, because the script that installs the packages needs it too.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';

const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
/** How long children may take to end after SIGTERM, and then this process itself. */
const graceMs = 5_000;
/** A child's own process group can be ended as a whole; Windows has no groups. */
const hasGroups = process.platform !== 'win32';

const running = new Set();
let endedBy;

/**
 * Start a program as `spawn` does, in its own process group. A signal that ends this process ends the group, first with SIGTERM,
 * after some seconds with SIGKILL; so does any other end of this process. After a signal this function throws, so that the caller
 * unwinds, and this process ends with the signal's exit code, at the latest when the group has ended.
 */
export function startChild(program, args, options = {}) {
  if (endedBy) throw new Error(`${program} is not started: ${endedBy} is ending this process`);
  // Before the first child exists.
  if (running.size === 0) handle(true);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options, detached: hasGroups });
  running.add(child);
  child.once('close', () => {
    running.delete(child);
    if (running.size === 0 && !endedBy) handle(false);
    // Others in its group may still run.
    if (endedBy && child.pid !== undefined) signalGroup(child, 'SIGKILL');
  });
  return child;
}

/**
 * Run a program to its end; rejects only if it does not start. `output` is both streams interleaved; `onLine` is called with each
 * line of stderr meanwhile.
 */
export function runChild(program, args, { onLine, timeout, killSignal = 'SIGTERM', ...options } = {}) {
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
    // Node.js's own limit would keep this process for as long if the program does not start.
    const limit = timeout === undefined ? undefined : setTimeout(() => child.kill(killSignal), timeout);
    child.once('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      resolve({ code, signal, ...said });
    });
  });
}

/** The signal that is ending this process, if any. */
export const endingSignal = () => endedBy;

/** The handlers are installed only while children exist: otherwise a signal has its default effect. */
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

/** SIGTERM, not SIGKILL: a child that is itself such a script has to end its own children. */
function endRunning() {
  for (const child of running) signalGroup(child, 'SIGTERM');
}

function signalGroup(child, signal) {
  try {
    if (hasGroups) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // The group has already ended.
  }
}
