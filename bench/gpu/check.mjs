// Checks a GPU: runs the steps of steps.mjs, each in a process of its own, and prints a JSON line as soon as one has a result. See
// bench/README.md. In a bundle check.sh starts it.
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endingSignal, startChild } from '../../scripts/child-processes.mjs';
import { chosenStages, secondsFor, stepNames } from './steps.mjs';
import { tableOf, verdictOf } from './summary.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** What check.sh has unpacked goes with this process. */
const unpacked = process.env.FOURFOLD_CHECK_UNPACKED;
const temporary = mkdtempSync(join(tmpdir(), 'fourfold-check-'));
process.once('exit', () => {
  for (const path of [temporary, unpacked]) if (path) rmSync(path, { recursive: true, force: true });
});
const options = readOptions();
const output = process.env.OUT;
/** Nothing is read from or left in the home folder. */
const environment = {
  ...process.env,
  HOME: join(temporary, 'home'),
  XDG_CACHE_HOME: join(temporary, 'cache'),
  TORCHINDUCTOR_CACHE_DIR: join(temporary, 'inductor'),
  TRITON_CACHE_DIR: join(temporary, 'triton'),
};

function parse() {
  const options = {
    device: { type: 'string', default: 'cuda' },
    only: { type: 'string' },
    small: { type: 'boolean', default: false },
    addon: { type: 'string' },
    seconds: { type: 'string', default: '480' },
    patience: { type: 'string', default: '1' },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse(error.message.split('. ')[0]);
  }
}

function readOptions() {
  const values = parse();
  const only = values.only?.split(',');
  const unknown = only?.find((name) => !stepNames.includes(name));
  if (!/^(cpu|cuda(:\d+)?)$/.test(values.device)) refuse(`--device ${values.device}: choose cpu, cuda or cuda:N`);
  if (unknown !== undefined) refuse(`--only ${unknown}: choose from ${stepNames.join(', ')}`);
  const [seconds, patience] = ['seconds', 'patience'].map((name) => {
    if (!(Number(values[name]) > 0)) refuse(`--${name} ${values[name]}: give a number above 0`);
    return Number(values[name]);
  });
  return { ...values, only, seconds, patience };
}

function refuse(reason) {
  console.error(`gpu:check: ${reason}`);
  process.exit(2);
}

/** Print a line, and keep it under $OUT. */
function say(line) {
  console.log(line);
  if (output) appendFileSync(join(output, 'gpu-check.jsonl'), `${line}\n`);
}

/** Run a step to its end or its time's; returns its result and what it has reported. */
function runStep({ name, program: [file, ...args] }, seconds) {
  const startMs = performance.now();
  const folder = join(temporary, name);
  mkdirSync(folder);
  const asked = JSON.stringify({ device: options.device, small: options.small, seconds, folder });
  const child = startChild(process.execPath, [here(`steps/${file}.mjs`), asked, ...args], { env: environment });
  const facts = [];
  const seen = { log: '', isLate: false };
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const fact = JSON.parse(line);
    facts.push(fact);
    if (!fact.skipped) say(JSON.stringify({ step: name, ...fact }));
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (seen.log += text));
  const timer = setTimeout(() => {
    seen.isLate = true;
    process.kill(-child.pid, 'SIGKILL');
  }, seconds * 1000);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (output) writeFileSync(join(output, `${name}.log`), seen.log);
      const end = endOf({ code, signal, facts, seconds, ...seen });
      const result = { step: name, ...end, seconds: Math.round((performance.now() - startMs) / 100) / 10 };
      say(JSON.stringify(result));
      resolve({ ...result, facts });
    });
  });
}

/** How a step ended. A run that falls back to the CPU or to eager kernels has not shown what it should. */
function endOf({ code, signal, facts, log, isLate, seconds }) {
  const skipped = facts.find((fact) => fact.skipped)?.skipped;
  if (isLate) return { result: 'failed', reason: `not done after ${seconds} s` };
  if (code !== 0) return { result: 'failed', reason: reasonIn(log) ?? `ended with ${signal ?? code}` };
  const fallback = log.split('\n').find((line) => /"event":"no-(graphs|cuda)"/.test(line));
  if (fallback) return { result: 'failed', reason: fallback.slice(0, 1000) };
  return skipped ? { result: 'skipped', reason: skipped } : { result: 'passed' };
}

/** The message of the error that ended a process, else its last line. */
function reasonIn(log) {
  const lines = log.trim().split('\n');
  const line = lines.findLast((text) => /^(\w*Error( \[\w+\])?|tfjs-torch): /.test(text)) ?? lines.at(-1);
  return line?.slice(0, 1000) || undefined;
}

async function main() {
  if (output) mkdirSync(output, { recursive: true });
  mkdirSync(environment.HOME);
  const build = here('../../packages/tfjs-torch/build');
  // The set-up uses it only if it was made of the same sources, libtorch, compiler and flags.
  if (options.addon) cpSync(options.addon, build, { recursive: true });
  // A busy machine gets more time, for each step and for all.
  const endMs = performance.now() + options.seconds * options.patience * 1000;
  const left = () => (endMs - performance.now()) / 1000 / options.patience;
  const background = [];
  const results = [];
  const chosen = chosenStages(options.only);
  for (const [i, stage] of chosen.entries()) {
    if (stage.some((step) => step.awaitsBackground)) results.push(...(await Promise.all(background.splice(0))));
    const running = stage.map((step) => ({
      step,
      seconds: options.patience * secondsFor(step, chosen.slice(i + 1), left()),
    }));
    const started = running.map(({ step, seconds }) => ({ step, end: runStep(step, seconds) }));
    background.push(...started.filter(({ step }) => step.isBackground).map(({ end }) => end));
    results.push(...(await Promise.all(started.filter(({ step }) => !step.isBackground).map(({ end }) => end))));
  }
  results.push(...(await Promise.all(background)));
  const summary = `${tableOf(results, options.device)}\n${verdictOf(results)}`;
  console.log(summary);
  if (output) writeFileSync(join(output, 'gpu-check.md'), `${summary}\n`);
  process.exitCode = results.some(({ result }) => result === 'failed') ? 1 : 0;
}

await main().catch((error) => {
  if (!endingSignal()) throw error;
});
