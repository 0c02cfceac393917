import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { describeError } from '@fourfold/common';
import { probeBackends } from '@fourfold/model';
import sharp from 'sharp';
import { examinePlaces, proxies } from './examined-places.js';
import { registerFonts } from './report/fonts.js';
import { formatBytes } from './terminal/table.js';
import type { Finding } from './finding.js';

const oldestNode = [20, 19];
/** Formats that `prepare` reads, and those that only `upscale` reads. */
const requiredFormats = ['jpeg', 'png', 'webp', 'tiff'] as const;
const otherFormats = ['heif', 'gif', 'svg'] as const;

/** Check what this machine has for fourfold; leaves nothing behind. */
export async function examine(): Promise<Finding[]> {
  const places = examinePlaces(process.env);
  return [
    ...[nodeVersion(), cores(), memory(), ...backends(), simd(), threads(), pictures(), fonts()],
    ...[...(await places), proxies(process.env)],
  ];
}

function nodeVersion(): Finding {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const ok = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  const detail = `${process.version} on ${process.platform} ${process.arch}; ${oldestNode.join('.')} or later is required`;
  return { subject: 'Node.js', ok, required: true, detail };
}

function cores(): Finding {
  const detail = `${availableParallelism()} usable, ${cpus()[0]?.model.trim() ?? 'model unknown'}`;
  return { subject: 'cores', ok: true, required: false, detail };
}

function memory(): Finding {
  const limit = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return {
    subject: 'memory',
    ok: true,
    required: false,
    detail: `${formatBytes(limit)}, ${formatBytes(freemem())} free`,
  };
}

/** Each backend alone is optional; the embedded one is not. */
function backends(): Finding[] {
  return probeBackends().map(({ backend, found, detail }) => ({
    subject: `backend ${backend}`,
    ok: found,
    required: backend === 'wasm',
    detail,
  }));
}

/** A module whose only function makes a v128 (i32.const 0, i8x16.splat, drop): valid where WebAssembly has SIMD. */
const simdModule = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 4, 1, 0x60, 0, 0],
  ...[3, 2, 1, 0],
  ...[10, 9, 1, 7, 0, 0x41, 0, 0xfd, 15, 0x1a, 0x0b],
);

function simd(): Finding {
  const ok = WebAssembly.validate(simdModule);
  return { subject: 'WebAssembly SIMD', ok, required: true, detail: ok ? 'available' : 'this CPU or Node.js has none' };
}

function threads(): Finding {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const ok = buffer instanceof SharedArrayBuffer;
  return {
    subject: 'WebAssembly threads',
    ok,
    required: true,
    detail: ok ? 'memory can be shared' : 'no shared memory',
  };
}

function pictures(): Finding {
  const [required, others] = [requiredFormats, otherFormats].map((formats) => formats.filter(isRead));
  const missing = requiredFormats.filter((format) => !isRead(format));
  const detail = `sharp reads ${[...required, ...others].join(', ')}${missing.length > 0 ? `; not ${missing.join(', ')}` : ''}`;
  return { subject: 'pictures', ok: missing.length === 0, required: true, detail };
}

const isRead = (format: (typeof requiredFormats | typeof otherFormats)[number]) => sharp.format[format].input.file;

function fonts(): Finding {
  try {
    return { subject: 'fonts', ok: true, required: false, detail: `${registerFonts()}, for charts` };
  } catch (error) {
    return { subject: 'fonts', ok: false, required: false, detail: describeError(error) };
  }
}
