/*
 * Debian's packages of the photographs that photographs.csv lists; wants apt-get and dpkg-deb.
 */
import { Buffer } from 'node:buffer';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { runChild } from '../../scripts/child-processes.mjs';

export const listFile = new URL('photographs.csv', import.meta.url);

/** A list's first columns, which hold no commas. */
export const readList = (file) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => {
      const [name, source, path, entry] = row.split(',');
      return { name, source, path, entry };
    });

/** Run `use` with a folder in which each package of a list is unpacked in a folder of its name. */
export async function withPackages(photographs, use) {
  const folder = mkdtempSync(join(tmpdir(), 'photographs-'));
  try {
    for (const source of new Set(photographs.map(({ source }) => source))) {
      console.log(`${source} ...`);
      await run('apt-get', ['download', source], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
      const archive = readdirSync(folder).find((file) => file.startsWith(`${source}_`));
      await run('dpkg-deb', ['-x', archive, source], { cwd: folder });
    }
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run(program, args, options) {
  const { code, signal, output } = await runChild(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${signal ?? code}: ${output.trim()}`);
}

/**
 * The files in a Qt resource file, each with what reads it: https://doc.qt.io/qt-6/resources.html, the format in Qt's
 * qresource.cpp.
 */
export function resourceEntries(bytes) {
  const [version, tree, data, names] = [4, 8, 12, 16].map((at) => bytes.readUInt32BE(at));
  const nodeBytes = version >= 2 ? 22 : 14;
  const flagDirectory = 2;
  const flagZlib = 1;
  const nameOf = (node) => {
    const at = names + bytes.readUInt32BE(node);
    const text = Buffer.from(bytes.subarray(at + 6, at + 6 + 2 * bytes.readUInt16BE(at)));
    return text.swap16().toString('utf16le');
  };
  const walk = (node, prefix) => {
    const flags = bytes.readUInt16BE(node + 4);
    const path = node === tree ? '' : `${prefix}/${nameOf(node)}`;
    if (!(flags & flagDirectory)) {
      const at = data + bytes.readUInt32BE(node + 10);
      const content = bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at));
      return [[path, () => (flags & flagZlib ? inflateSync(content.subarray(4)) : content)]];
    }
    const [count, first] = [bytes.readUInt32BE(node + 6), bytes.readUInt32BE(node + 10)];
    return Array.from({ length: count }, (_, i) => walk(tree + (first + i) * nodeBytes, path)).flat();
  };
  return walk(tree, '');
}
