import { absoluteStoreUrl, FourfoldError, sha256 } from '@fourfold/common';
import { openOutputFolder, type InputPlace, openStore, type ObjectStore, type OutputFolder } from '@fourfold/store';
import {
  cropToMultiple,
  downscale,
  encodePng,
  listPictures,
  withName,
  readPicture,
  type Picture,
} from '@fourfold/imaging';
import { openMeasuredSet, type MeasuredSet, type SourceFile } from '@fourfold/data-loader';
import { upscaleBaseline, type BaselineName } from '../evaluation-table.js';
import { pairPictures } from './pair-pictures.js';
import { mostMethods, pictureKey, studyFile, type Study, type Version } from './study.js';

/** A method under test: how it makes its version of a picture. */
export interface Method {
  name: string;
  /** From the LR picture, its original and the original's name. Throws `invalid` or `not-found`. */
  make: (lr: Picture, hr: Picture, picture: string) => Picture | Promise<Picture>;
}

export interface StudyPlan {
  name: string;
  seed: number;
  repeats: number;
  /** Folder, zip, tar or `s3:` URL of the originals, chosen as `openMeasuredSet` does. */
  images: string;
  /** Other pictures, whose nearest-neighbour and original versions come first. */
  calibration?: string;
  methods: readonly Method[];
  out: OutputFolder;
  onProgress: (done: number, total: number) => void;
}

/** The original itself, which the paper's raters saw among the others. */
export const original: Method = { name: 'original', make: (_, hr) => hr };
export const baseline = (name: BaselineName): Method => ({ name, make: (lr) => upscaleBaseline(name, lr) });

/** A method whose pictures were made by other software, one for each of `images`. Throws as `pairPictures` does. */
export async function readyPictures(name: string, url: string, images: string): Promise<Method> {
  const store = openStore(url);
  const originals = await openMeasuredSet(images);
  await originals.close();
  const names = originals.photographs.map((photograph) => photograph.name);
  const keys = pairPictures(names, await listPictures(store), store.url);
  return {
    name,
    async make(_, hr, picture) {
      const key = keys.get(picture);
      if (!key) throw new FourfoldError('not-found', `${store.url} has no version of ${picture}`);
      const found = await readPicture(store, key);
      if (found.width === hr.width && found.height === hr.height) return found;
      const sizes = `${found.width}x${found.height}, and the original is ${hr.width}x${hr.height}`;
      throw new FourfoldError('invalid', `${store.url}/${key} is ${sizes}`, {
        hint: 'originals are cropped at the right and the bottom to multiples of 4',
      });
    },
  };
}

/**
 * Claim a folder for a study, before any work. Throws `invalid` if it already holds a study, or anything but the leftovers of
 * an interrupted `mos prepare`, and if it lies among the inputs.
 */
export async function openStudyPlace(store: ObjectStore, inputs: readonly InputPlace[]): Promise<OutputFolder> {
  if ((await store.list(studyFile)).some(({ key }) => key === studyFile)) {
    throw new FourfoldError('invalid', `${store.url} already holds a study`, { hint: 'name another folder' });
  }
  return openOutputFolder(store, { inputs });
}

/**
 * Make every version of every picture, and write the study. Throws `invalid` for too many methods, or two with the same name.
 */
export async function prepareStudy(plan: StudyPlan): Promise<Study> {
  const { images, calibration, methods } = plan;
  checkMethods(methods.map(({ name }) => name));
  const originals = await openMeasuredSet(images);
  try {
    const shown = calibration === undefined ? undefined : await openMeasuredSet(calibration);
    try {
      return await makeVersions(plan, originals, shown);
    } finally {
      await shown?.close();
    }
  } finally {
    await originals.close();
  }
}

async function makeVersions(plan: StudyPlan, originals: MeasuredSet, shown?: MeasuredSet): Promise<Study> {
  const { name, seed, repeats, images, calibration, methods, out, onProgress } = plan;
  const versions = originals.photographs.length * methods.length;
  const total = versions + 2 * (shown?.photographs.length ?? 0);
  if (repeats > Math.ceil(versions / 2)) {
    throw new FourfoldError(
      'invalid',
      `--repeats is ${repeats}: it must be at most half of the versions, ${Math.ceil(versions / 2)}`,
    );
  }
  let done = 0;
  const make = async (set: MeasuredSet, place: string, photograph: SourceFile, method: Method): Promise<Version> => {
    onProgress(done, total);
    const { name: picture } = photograph;
    const hr = cropToMultiple(await set.decode(photograph), 4);
    const made = await withName(set.title(photograph), Promise.resolve(method.make(downscale(hr, 0), hr, picture)));
    const png = await encodePng(made);
    // Browsers cache pictures by their ids: other pixels need another id.
    const facts = [seed, absoluteStoreUrl(place), picture, method.name, sha256(png)];
    const id = sha256(JSON.stringify(facts)).slice(0, 16);
    await out.put(pictureKey(id), png);
    done++;
    return { id, picture, method: method.name };
  };

  const study: Study = {
    ...{ format: 1, name, seed, repeats },
    methods: methods.map(({ name }) => name),
    versions: [],
    calibration: [],
  };
  for (const photograph of originals.photographs) {
    for (const method of methods) study.versions.push(await make(originals, images, photograph, method));
  }
  if (shown && calibration !== undefined) {
    for (const photograph of shown.photographs) {
      const worst = await make(shown, calibration, photograph, baseline('nearest'));
      const best = await make(shown, calibration, photograph, original);
      study.calibration.push({ ...worst, expected: 1 }, { ...best, expected: 5 });
    }
  }
  onProgress(total, total);
  // Last: a folder without it is not a study.
  await out.finish(studyFile, JSON.stringify(study, null, 1));
  return study;
}

function checkMethods(names: readonly string[]): void {
  if (names.length === 0 || names.length > mostMethods) {
    throw new FourfoldError('invalid', `a study has 1 to ${mostMethods} methods, not ${names.length}`);
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new FourfoldError('invalid', `two methods are called ${twice}`);
}
