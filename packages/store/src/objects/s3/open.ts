import type { ObjectStore } from '../types.js';
import { createS3Connection, type S3Connection } from './connection.js';
import { variablesOf } from './key-source.js';
import { createS3Store } from './s3-store.js';
import { readS3Settings } from './settings.js';

/** One per service: its stores share sockets, and the knowledge that it is unavailable. */
const connections = new Map<string, S3Connection>();

/** The object store at a path in a bucket, with settings from the environment. Throws `invalid` if these are incomplete. */
export function openS3Store({ bucket, path }: { bucket: string; path: string }): ObjectStore {
  const environment = { ...process.env };
  const settings = readS3Settings(environment);
  const key = JSON.stringify([settings, variablesOf(settings.keys, environment)]);
  const connection = connections.get(key) ?? createS3Connection(settings, environment);
  connections.set(key, connection);
  return createS3Store(connection, bucket, path);
}
