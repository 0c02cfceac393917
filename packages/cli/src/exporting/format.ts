import type { GeneratorWeights } from '@fourfold/weights';
import type { Picture } from '@fourfold/imaging';

/** A file format that other programs load: how a generator is written in it, and how its files are run. */
export interface Format {
  /** Its usual name. */
  title: string;
  /** Files of the export by name. `facts` are texts about the model, for formats with a place for them. */
  write: (generator: GeneratorWeights, facts: Record<string, string>) => Promise<Record<string, string | Uint8Array>>;
  /** Load the written files of a folder, and say how to run them and by what. Throws if they cannot be loaded. */
  open: (folder: string) => Promise<ExportedModel>;
  /** For the model card: what the files are, and how to load them. Markdown. */
  usage: string;
}

/** A written model, loaded by the programs that its users have. */
export interface ExportedModel {
  runtimes: Runtime[];
  /** Which runtimes did not run it, and why, as text. */
  notChecked: string[];
}

export interface Runtime {
  name: string;
  /** 8-bit RGB to 4 times the width and height. */
  upscale: (lr: Picture) => Promise<Picture>;
}
