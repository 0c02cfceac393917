import { readSecret, type Environment, FourfoldError } from '@fourfold/common';

/** Where the keys that sign requests come from. It holds no keys itself. */
export type KeySource =
  /** Requests are anonymous: they can read what a policy makes public. */
  | { from: 'nobody' }
  /** The names of variables that hold the keys, or that with `_FILE` appended name files. */
  | { from: 'variables'; accessKey: string; secretKey: string; sessionToken: string }
  /** An identity provider's token, such as a Kubernetes service account's, which the token service exchanges for keys. */
  | { from: 'web-identity'; tokenFile: string; role?: string; sessionName: string; service: string }
  /** An agent next to the container. */
  | { from: 'container'; url: string; token: string }
  /** The machine's own role. */
  | { from: 'instance'; service: string };

const ours = {
  accessKey: 'FOURFOLD_S3_ACCESS_KEY',
  secretKey: 'FOURFOLD_S3_SECRET_KEY',
  sessionToken: 'FOURFOLD_S3_SESSION_TOKEN',
};
const usual = { accessKey: 'AWS_ACCESS_KEY_ID', secretKey: 'AWS_SECRET_ACCESS_KEY', sessionToken: 'AWS_SESSION_TOKEN' };

const choiceVariable = 'FOURFOLD_S3_CREDENTIALS';
const instanceService = 'http://169.254.169.254';
const containerService = 'http://169.254.170.2';

/** Finds each kind of source; undefined if the environment has no settings for it. */
const finders: Record<KeySource['from'], (environment: Environment, region: string) => KeySource | undefined> = {
  nobody: () => ({ from: 'nobody' }),
  variables(environment) {
    const names = [ours, usual].find((set) =>
      Object.values(set).some((name) => environment[name] || environment[`${name}_FILE`]),
    );
    return names && { from: 'variables', ...names };
  },
  'web-identity'(environment, region) {
    const tokenFile = environment['AWS_WEB_IDENTITY_TOKEN_FILE'];
    if (!tokenFile) return undefined;
    return {
      from: 'web-identity',
      tokenFile,
      role: environment['AWS_ROLE_ARN'] || undefined,
      sessionName: environment['AWS_ROLE_SESSION_NAME'] || 'fourfold',
      service: environment['AWS_ENDPOINT_URL_STS'] || `https://sts.${region}.amazonaws.com`,
    };
  },
  container(environment) {
    const path = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
    const url = path ? containerService + path : environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
    return url ? { from: 'container', url, token: 'AWS_CONTAINER_AUTHORIZATION_TOKEN' } : undefined;
  },
  instance: (environment) => ({
    from: 'instance',
    service: environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || instanceService,
  }),
};

/** Tried in this order. A machine's role must be chosen explicitly: only a request would show whether there is one. */
const automatic = ['variables', 'web-identity', 'container', 'nobody'] as const;

/**
 * The source that `FOURFOLD_S3_CREDENTIALS` names, or else the first in the environment: our keys, AWS's, a web identity, a container's
 * agent. Throws `invalid` naming the variable that is wrong or missing.
 */
export function findKeySource(environment: Environment, region: string): KeySource {
  const choice = environment[choiceVariable];
  const kinds = choice ? Object.keys(finders).filter((kind) => kind === choice) : automatic;
  if (kinds.length === 0) {
    throw new FourfoldError('invalid', `${choiceVariable} must be one of ${Object.keys(finders).join(', ')}`);
  }
  const found = (kinds as KeySource['from'][]).map((kind) => finders[kind](environment, region)).find(Boolean);
  if (!found)
    throw new FourfoldError('invalid', `${choiceVariable} is ${choice}, but the environment has no settings for it`);
  if (found.from === 'variables') readVariables(found, environment);
  return found;
}

/** The keys that the variables, or their files, hold now. Throws `invalid` if one is missing. */
export function readVariables(
  { accessKey, secretKey, sessionToken }: Extract<KeySource, { from: 'variables' }>,
  environment: Environment,
): { accessKey: string; secretKey: string; sessionToken?: string } {
  const read = (variable: string) => {
    const value = readSecret(environment, variable);
    if (value) return value;
    throw new FourfoldError('invalid', `${variable} is not set, but another of the keys is`, {
      hint: `set ${accessKey} and ${secretKey}, or none of the keys for anonymous access`,
    });
  };
  const token = readSecret(environment, sessionToken);
  return {
    accessKey: read(accessKey),
    secretKey: read(secretKey),
    ...(token && { sessionToken: token }),
  };
}

/** The keys as given in the environment: values or file names. */
export const variablesOf = (source: KeySource, environment: Environment): (string | undefined)[] =>
  source.from === 'variables'
    ? [source.accessKey, source.secretKey, source.sessionToken].flatMap((name) => [
        environment[name],
        environment[`${name}_FILE`],
      ])
    : [];

/** What to check if a service refuses the keys. */
export function keysHint(source: KeySource): string {
  switch (source.from) {
    case 'nobody':
      return 'the request was anonymous: set FOURFOLD_S3_ACCESS_KEY and FOURFOLD_S3_SECRET_KEY';
    case 'variables':
      return `check ${source.accessKey}, ${source.secretKey} and, if the keys are temporary, ${source.sessionToken}, and the permissions of these keys`;
    case 'web-identity':
      return `check the permissions of the role ${source.role ?? 'of AWS_WEB_IDENTITY_TOKEN_FILE'}`;
    case 'container':
      return 'check the permissions of the role of this container';
    case 'instance':
      return 'check the permissions of the role of this machine';
  }
}

/** What to do if temporary keys have expired. */
export const renewHint = (source: KeySource): string =>
  source.from === 'variables'
    ? `renew ${source.accessKey}, ${source.secretKey} and ${source.sessionToken}; if they are given as files (_FILE), these are read again`
    : keysHint(source);
