import { InvalidArgumentError, Option } from 'commander';
import type { RunConfig, Setting } from '@fourfold/common';
import { backendChoices, parseAddress } from '@fourfold/common/basics';
import { modelNames } from '../upscaling/models.js';

/** A parser of whole numbers from `minimum` up, for commander's options. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`It must be a whole number, at least ${minimum}.`);
    }
    return value;
  };
}

/** A parser of `host:port`. */
export function hostPort(text: string): string {
  if (!parseAddress(text)) {
    throw new InvalidArgumentError('It must be host:port, such as 127.0.0.1:8080; port 0 takes a free one.');
  }
  return text;
}

const repeatableParsers = new WeakSet<object>();

/** Mark a parser that collects: its option may be repeated. */
export function repeatable<Parser extends object>(parser: Parser): Parser {
  repeatableParsers.add(parser);
  return parser;
}

/** Whether a parser collects. */
export const isRepeatable = (parser: object | undefined): boolean =>
  parser !== undefined && repeatableParsers.has(parser);

/** Collect the values of an option that may be repeated. */
export const collect = repeatable((value: string, before: string[] = []): string[] => [...before, value]);

/** The setting of a config's key that an option stands for, if it was given. Errors name the option. */
export const optionSetting = (option: string, value: string | number | undefined, key: string): Setting[] =>
  value === undefined ? [] : [{ option: `${option} is ${value}`, sets: `${key}=${value}` }];

export type BackendChoice = RunConfig['workers']['backend'];

/** `--backend`, as it is in a run's config. */
export const backendOption = (): Option =>
  new Option('--backend <name>', 'TensorFlow.js backend to compute with; auto takes the best one found')
    .choices(backendChoices)
    .default('auto');

/** `--model` of commands that measure several generators. */
export const modelOption = (): Option =>
  new Option('--model <name...>', 'generator that comes with fourfold; may be repeated')
    .choices(modelNames)
    .default([]);

/** `--lpips-weights` of commands that measure LPIPS. */
export const lpipsWeightsOption = (): Option =>
  new Option(
    '--lpips-weights <place>',
    'its weights: a file, a folder or s3://BUCKET/PATH (default: those of fourfold vgg fetch)',
  );

/** A command's summary as its description, where there is no more to say. */
export const asSentence = (summary: string): string => `${summary[0].toUpperCase()}${summary.slice(1)}.`;

/** `--force`, for commands that write a single file. */
export const forceOption = (what: string): Option =>
  new Option('--force', `overwrite ${what} that already exists`).default(false);

/** `--json`, for commands that report. */
export const jsonOption = (): Option => new Option('--json', 'print one JSON object on stdout instead of text');

/** Print a result as the one JSON object on stdout. */
export const printJson = (result: object): void => console.log(JSON.stringify(result, null, 2));

/** Where a run's figures go besides its checkpoints. */
export interface ReportArguments {
  tensorboard?: string;
  mlflow?: string;
}

export const tensorboardOption = (): Option =>
  new Option('--tensorboard <dir>', 'folder for TensorBoard’s event files of losses and validation');

export const mlflowOption = (): Option =>
  new Option('--mlflow <url>', 'MLflow tracking server that gets config, losses and validation');
