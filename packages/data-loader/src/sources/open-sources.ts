import { openSource } from './open-source.js';
import { byName, type OnListing, type Source } from './source.js';

/**
 * One place's files, or those of several as if they lay in one folder: each place is a folder of its own name there, and of two with
 * one name the second gets a number. Throws as `openSource` does.
 */
export async function openSources(places: readonly string[], onListing?: OnListing): Promise<Source> {
  if (places.length === 1) return openSource(places[0], onListing);
  const sources: Source[] = [];
  const close = async () => {
    for (const source of sources) await source.close();
  };
  try {
    for (const place of places) sources.push(await openSource(place, onListing));
  } catch (error) {
    await close();
    throw error;
  }
  const labels = labelsOf(sources);
  return {
    title: sources.map(({ title }) => title).join(' and '),
    // The names that tell a data set are in the labels.
    context: '',
    files: sources
      .flatMap(({ files }, i) => files.map((file) => ({ ...file, name: `${labels[i]}/${file.name}` })))
      .sort(byName),
    unusable: sources.flatMap(({ unusable }, i) =>
      unusable.map(({ file, reason }) => ({ file: `${labels[i]}/${file}`, reason })),
    ),
    close,
  };
}

/** A folder's name for each source. */
function labelsOf(sources: readonly Source[]): string[] {
  const labels: string[] = [];
  for (const { context } of sources) {
    // An archive often holds only a folder of its own name.
    const name = [...new Set(context.split('/'))].join('/') || 'images';
    const isTaken = (label: string) => labels.includes(label);
    let label = name;
    for (let number = 2; isTaken(label); number++) label = `${name}-${number}`;
    labels.push(label);
  }
  return labels;
}
