import { FourfoldError, readSecret, type Environment } from '@fourfold/common';
import { readTlsIdentity, type TlsIdentity } from '@fourfold/rpc';

/** How to reach NATS. None of this is ever part of a config, and none of its secrets part of a log line or an error. */
export interface NatsSettings {
  servers: { host: string; port: number }[];
  isSecure: boolean;
  credentials?: { user: string; password: string };
  /**
   * What is shown to the server and what its certificate is checked against; the machine's authorities if omitted. It is another one once
   * certificates have been renewed: it is to be read for each connection.
   */
  readonly identity?: TlsIdentity;
}

const variables = {
  url: 'FOURFOLD_NATS_URL',
  user: 'FOURFOLD_NATS_USER',
  password: 'FOURFOLD_NATS_PASSWORD',
} as const;

const defaultPort = 4222;

/** The settings that the environment holds. Throws `invalid` naming the variable, never its value. */
export function readNatsSettings(environment: Environment): NatsSettings {
  const urls = parseUrls(environment[variables.url]);
  const user = environment[variables.user];
  const password = readSecret(environment, variables.password);
  if (!user !== (password === undefined)) {
    const [missing, other] = user ? [variables.password, variables.user] : [variables.user, variables.password];
    throw new FourfoldError('invalid', `${missing} is not set, though ${other} is`, {
      hint: 'set both, or neither if the server asks for none',
    });
  }
  const isSecure = urls[0].protocol === 'tls:';
  const readIdentity = () => (isSecure ? readTlsIdentity(environment) : undefined);
  readIdentity();
  return {
    servers: urls.map(({ hostname, port }) => ({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port) || defaultPort,
    })),
    isSecure,
    ...(user && password !== undefined && { credentials: { user, password } }),
    get identity() {
      return readIdentity();
    },
  };
}

/** host:port of each server, an IPv6 address in brackets. */
export const serverNames = ({ servers }: NatsSettings): string[] =>
  servers.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`);

function parseUrls(text: string | undefined): URL[] {
  const hint = 'set it to nats://HOST:PORT or tls://HOST:PORT, or several of one kind separated by commas';
  const refuse = (problem: string) => new FourfoldError('invalid', `${variables.url} ${problem}`, { hint });
  if (!text) throw refuse('is not set');
  const urls = text.split(',').map((part) => {
    const url = URL.canParse(part.trim()) ? new URL(part.trim()) : undefined;
    if (!url || !/^(nats|tls):$/.test(url.protocol) || !url.hostname || !/^\/?$/.test(url.pathname) || url.search) {
      throw refuse('is not a URL of a NATS server');
    }
    if (url.username || url.password) {
      throw new FourfoldError('invalid', `${variables.url} holds credentials`, {
        hint: `move them to ${variables.user} and ${variables.password}`,
      });
    }
    return url;
  });
  if (new Set(urls.map(({ protocol }) => protocol)).size > 1) throw refuse('mixes nats:// and tls://');
  return urls;
}
