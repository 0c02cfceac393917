import { readdirSync, readFileSync } from 'node:fs';

/** What a process holds. */
export interface Held {
  residentMib: number;
  descriptors: number;
  threads: number;
}

/** What a process of a run held at one time. */
export interface Sample extends Held {
  /** Its role, and its number within the role. */
  role: string;
  name: string;
  /** Since the soak began. */
  atSeconds: number;
  /** Since the process was first seen. */
  ageSeconds: number;
  /** The processor time it has used: how much it has done, however busy the machine was. */
  cpuSeconds: number;
  /** It has met every kind of work of its role, and holds what it keeps for the next of each kind. */
  isWarm: boolean;
}

/** The kernel's clock ticks of processor time, in one second. */
const ticksPerSecond = 100;

/** The processor time that a process has used; undefined once it is gone. */
function cpuSecondsOf(pid: number): number | undefined {
  try {
    // The name in parentheses may hold spaces. utime and stime are the 14th and 15th fields.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  } catch {
    return undefined;
  }
}

/** What a process holds now; undefined if it is gone. */
export function heldBy(pid: number): Held | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const residentKib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    // A process that has ended and was not reaped yet holds nothing.
    if (residentKib === undefined) return undefined;
    return {
      residentMib: Number(residentKib) / 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      threads: readdirSync(`/proc/${pid}/task`).length,
    };
  } catch {
    return undefined;
  }
}

/** A part that is sampled until it is gone. */
export interface Watched {
  role: string;
  pid: number;
  /** Whether it has met every kind of work of its role; always, if its role has only one. */
  isWarm: () => boolean;
}

/** Sample all parts every `intervalMs`; `parts` returns the current ones and may repeat some. */
export function startSampling(parts: () => readonly Watched[], intervalMs: number) {
  const samples: Sample[] = [];
  const begunMs = performance.now();
  const seen = new Map<number, { name: string; sinceSeconds: number }>();
  const countOf = new Map<string, number>();
  const look = () => {
    const atSeconds = (performance.now() - begunMs) / 1000;
    for (const { role, pid, isWarm } of parts()) {
      const held = heldBy(pid);
      const cpuSeconds = cpuSecondsOf(pid);
      if (!held || cpuSeconds === undefined) continue;
      if (!seen.has(pid)) {
        const count = (countOf.get(role) ?? 0) + 1;
        countOf.set(role, count);
        seen.set(pid, { name: `${role} ${count}`, sinceSeconds: atSeconds });
      }
      const { name, sinceSeconds } = seen.get(pid) as { name: string; sinceSeconds: number };
      const ageSeconds = atSeconds - sinceSeconds;
      samples.push({ role, name, atSeconds, ageSeconds, cpuSeconds, isWarm: isWarm(), ...held });
    }
  };
  const timer = setInterval(look, intervalMs);
  look();
  return {
    samples,
    stop: () => clearInterval(timer),
  };
}
