import { readFile } from 'node:fs/promises';
import { createServer, request, type RequestOptions } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What a gate does with a request. A held request is forwarded whole when the promise resolves, even if nobody waits
 * for the answer any more.
 */
export type GateDecision = 'pass' | 'deny' | 'ignore conditions' | { until: Promise<void> };

export interface S3Request {
  method: string;
  /** Includes the query. */
  path: string;
}

/** An S3 service in front of MinIO with its own policy, fault or partition. */
export interface S3Gate {
  /** host:port to connect to. */
  address: string;
  /** Decide by this rule from now on; without a rule all requests pass. */
  decide(rule?: (request: S3Request) => GateDecision): void;
  close(): void;
}

export interface S3GateOptions {
  /** host:port of MinIO, or of a proxy in front of it; it speaks TLS. */
  upstream: string;
  /** PEM files; MinIO's own will do, since certificates do not name ports. */
  certificate: string;
  key: string;
}

const accessDenied =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>';

/** Whether a request deletes objects. */
export const deletes = ({ method, path }: S3Request): boolean =>
  method === 'DELETE' || (method === 'POST' && /[?&]delete(=|&|$)/.test(path));

/** Start a gate on a free port of the loopback interface. */
export async function startS3Gate({ upstream, certificate, key }: S3GateOptions): Promise<S3Gate> {
  const [hostname, port] = upstream.split(':');
  let rule: (request: S3Request) => GateDecision = () => 'pass';

  /** Forward a request with the client's Host header, since it is signed. */
  const forward = ({ method, url, headers }: IncomingMessage, onAnswer: (answer: IncomingMessage) => void) => {
    const options: RequestOptions = {
      hostname,
      port,
      method,
      path: url,
      headers,
      rejectUnauthorized: false,
      agent: false,
    };
    return request(options, onAnswer);
  };
  const pass = (incoming: IncomingMessage, outgoing: ServerResponse, ignoresConditions: boolean): void => {
    const upward = forward(incoming, (answer) => {
      const isLie = ignoresConditions && answer.statusCode === 412;
      if (isLie) {
        answer.resume();
        outgoing.writeHead(200, { etag: '"0"', 'content-length': 0 }).end();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    });
    upward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upward.destroy());
    incoming.pipe(upward);
  };
  const hold = async (incoming: IncomingMessage, outgoing: ServerResponse, until: Promise<void>): Promise<void> => {
    const body = await buffer(incoming);
    await until;
    const upward = forward(incoming, (answer) => {
      if (!outgoing.destroyed) outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    upward.on('error', () => outgoing.destroy());
    upward.end(body);
  };
  const server = createServer({ cert: await readFile(certificate), key: await readFile(key) }, (incoming, outgoing) => {
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    const decision = rule({ method: incoming.method ?? '', path: incoming.url ?? '' });
    if (decision === 'deny') {
      incoming.resume();
      outgoing.writeHead(403, { 'content-type': 'application/xml' }).end(accessDenied);
    } else if (typeof decision === 'object') {
      hold(incoming, outgoing, decision.until).catch(() => outgoing.destroy());
    } else {
      pass(incoming, outgoing, decision === 'ignore conditions');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    decide: (next = () => 'pass') => (rule = next),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
