import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from '@fourfold/common/zod';
import { readSecret, type Environment, FourfoldError } from '@fourfold/common';
import { decodeEntities } from './entities.js';
import { readVariables, type KeySource } from './key-source.js';

/** The keys that sign requests. */
export interface Keys {
  accessKey: string;
  secretKey: string;
  sessionToken?: string;
  /** When the keys expire, if known. */
  expiresAtMs?: number;
}

const answerMs = 5_000;

/*
 * minio's IamAwsProvider reads `AccessKeyID`, but AWS's machines answer `AccessKeyId`; and it has no deadline. So these few requests are our own.
 */

/** Get keys from their source. Throws `invalid` if a variable is wrong, `unavailable` if a service returns none. */
export async function loadKeys(
  source: Exclude<KeySource, { from: 'nobody' }>,
  environment: Environment,
): Promise<Keys> {
  switch (source.from) {
    case 'variables':
      return readVariables(source, environment);
    case 'web-identity':
      return assumeRole(source);
    case 'container': {
      const authorization = readSecret(environment, source.token);
      return parseAnswer(source.url, await ask(source.url, { headers: { ...(authorization && { authorization }) } }));
    }
    case 'instance': {
      const at = (path: string) => new URL(path, source.service).href;
      const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '300' };
      const token = await ask(at('/latest/api/token'), { method: 'PUT', headers: ttl });
      const headers = { 'x-aws-ec2-metadata-token': token };
      const roles = at('/latest/meta-data/iam/security-credentials/');
      const [role] = (await ask(roles, { headers })).trim().split(/\s+/);
      if (!role) throw unavailable(source.service, 'this machine has no role');
      const url = roles + encodeURIComponent(role);
      return parseAnswer(url, await ask(url, { headers }));
    }
  }
}

const answerSchema = z.object({
  AccessKeyId: z.string().min(1),
  SecretAccessKey: z.string().min(1),
  Token: z.string().min(1).optional(),
  Expiration: z.iso.datetime({ offset: true }).optional(),
});

function parseAnswer(url: string, body: string): Keys {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw unavailable(url, 'the answer is not JSON');
  }
  const { success, data } = answerSchema.safeParse(answer);
  if (!success) throw unavailable(url, 'the answer holds no keys');
  return keysOf(data);
}

/** AWS's AssumeRoleWithWebIdentity, which MinIO also supports. */
async function assumeRole(source: Extract<KeySource, { from: 'web-identity' }>): Promise<Keys> {
  const token = await readFile(source.tokenFile, 'utf8').catch((cause: unknown) => {
    throw new FourfoldError('unavailable', `AWS_WEB_IDENTITY_TOKEN_FILE: ${source.tokenFile} cannot be read`, {
      cause,
    });
  });
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    WebIdentityToken: token.trim(),
    ...(source.role && { RoleArn: source.role, RoleSessionName: source.sessionName }),
  }).toString();
  const answer = await ask(source.service, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form,
  });
  const element = (name: string) => {
    const found = new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1];
    return found === undefined ? undefined : decodeEntities(found).trim();
  };
  const { success, data } = answerSchema.safeParse({
    AccessKeyId: element('AccessKeyId'),
    SecretAccessKey: element('SecretAccessKey'),
    Token: element('SessionToken'),
    Expiration: element('Expiration'),
  });
  if (!success) throw unavailable(source.service, 'the answer holds no keys');
  return keysOf(data);
}

const keysOf = ({ AccessKeyId, SecretAccessKey, Token, Expiration }: z.infer<typeof answerSchema>): Keys => ({
  accessKey: AccessKeyId,
  secretKey: SecretAccessKey,
  ...(Token && { sessionToken: Token }),
  ...(Expiration && { expiresAtMs: Date.parse(Expiration) }),
});

/** Make a single request with its own agent, to bypass any proxy in the environment. */
async function ask(url: string, { body, ...options }: http.RequestOptions & { body?: string }): Promise<string> {
  if (!/^https?:/.test(url) || !URL.canParse(url)) {
    throw new FourfoldError('invalid', `${url} is not the URL of a service for keys`);
  }
  const module = url.startsWith('https:') ? https : http;
  try {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const signal = AbortSignal.timeout(answerMs);
      const request = module.request(url, { ...options, agent: new module.Agent(), signal }, resolve);
      request.on('error', reject).end(body);
    });
    const answer = await text(response);
    if (response.statusCode === 200) return answer;
    const said = /<Message>([^<]+)</.exec(answer)?.[1];
    throw unavailable(url, `it answered ${response.statusCode}${said ? `: ${decodeEntities(said)}` : ''}`);
  } catch (error) {
    if (error instanceof FourfoldError) throw error;
    throw unavailable(url, 'it cannot be reached', error);
  }
}

const unavailable = (url: string, reason: string, cause?: unknown): FourfoldError =>
  new FourfoldError('unavailable', `no keys for the object store from ${url.split('?')[0]}: ${reason}`, { cause });
