import type { SpawnOptions } from 'node:child_process';

/** An error that the user can act on: printed on one line, or with a program's output. */
export class SetupError extends Error {}

/** Run a program to its end; returns its output, whose beginning is shown if it fails. */
export function run(program: string, args: readonly string[], options?: SpawnOptions): Promise<string>;

/** Run a program that a set-up cannot do without; returns its output. */
export function needs(program: string, args: readonly string[], what: string, hint: string): Promise<string>;

/** The record of the build in a folder if it was made of the same on this platform; else undefined. */
export function findBuild(folder: string, madeOf: unknown): Record<string, unknown> | undefined;

/** Before a folder's build changes. */
export function forgetBuild(folder: string): void;

/** Once a folder's build is complete. `facts` are for those who use it. */
export function recordBuild(folder: string, facts: Record<string, unknown>, madeOf: unknown): void;
