/*
 * Writes author and licence of each photograph into photographs.csv, as its package states them: GCompris in the README beside its
 * pictures, which says where they come from, too, the wallpapers in Debian's copyright file. Both are paragraphs of `Copyright:`,
 * `License:` and `Files:`.
 *   node examples/srresnet-mse/licences.mjs
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listFile, readList, resourceEntries, withPackages } from './packages.mjs';

const photographs = readList(listFile);
await withPackages(photographs, (folder) => {
  const rows = photographs.map(({ name, source, path, entry }) => {
    const text = entry
      ? readmeOf(readFileSync(join(folder, source, path)), entry)
      : readFileSync(join(folder, source, 'usr/share/doc', source, 'copyright'), 'utf8');
    const { copyright, license, ...more } = statementOn(basename(entry || path), text);
    const author = copyright.replaceAll(/\s*<[^>]*>/g, '');
    const licence = /^public domain$/i.test(license) ? 'public domain' : license.replace(' ', '-');
    return [name, source, path, entry, author, licence, entry ? (more.source ?? more.comment ?? '') : ''];
  });
  const lines = [['name', 'package', 'path', 'entry', 'author', 'licence', 'origin'], ...rows];
  writeFileSync(listFile, `${lines.map((line) => line.map(quoted).join(',')).join('\n')}\n`);
});

/** The README in the picture's folder, or in the nearest above it. */
function readmeOf(resource, entry) {
  const entries = new Map(resourceEntries(resource));
  let folder = [...entries.keys()].find((path) => path.endsWith(`/${entry}`));
  while (folder) {
    folder = folder.slice(0, folder.lastIndexOf('/'));
    const readme = entries.get(`${folder}/README`);
    // One file is misspelt in it.
    if (readme) return readme().toString().replace('audaPalatina', 'aulaPalatina');
  }
  throw new Error(`no README for ${entry}`);
}

/** The last paragraph that speaks of a file counts, as Debian's policy has it. */
function statementOn(file, text) {
  const found = text
    .split(/\n\s*\n/)
    .map(fieldsOf)
    .findLast(({ files = '', license }) => license && files.split(' ').some((pattern) => matches(pattern, file)));
  if (!found) throw new Error(`nothing is said of ${file}`);
  return found;
}

/** The fields of a paragraph, each on one line; of a licence's text the name alone. */
function fieldsOf(paragraph) {
  const fields = {};
  let last;
  for (const line of paragraph.split('\n')) {
    const [, name, rest] = /^([A-Za-z-]+):(?!\/\/)\s*(.*)$/.exec(line) ?? [];
    if (name) last = name.toLowerCase();
    else if (last === 'license' && line.startsWith(' ')) continue;
    // What stands at the margin of a README is a file's name, even where `Files:` was forgotten.
    else if (!line.startsWith(' ')) last = 'files';
    if (last) fields[last] = `${fields[last] ?? ''} ${rest ?? line}`.trim().replaceAll(/\s+/g, ' ');
  }
  return fields;
}

function matches(pattern, file) {
  if (pattern.startsWith('debian/')) return false;
  const [first, ...others] = basename(pattern)
    .split('*')
    .map((part) => part.replaceAll(/[.+^$()[\]{}|\\?]/g, '\\$&'));
  return new RegExp(`^${[first, ...others].join('.*')}$`).test(file);
}

function quoted(cell) {
  return /[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
