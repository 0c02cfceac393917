import type { Role } from '@fourfold/common';
import { status, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { equalSecrets } from '../security/join-token.js';
import { rolesOf } from '../security/roles.js';
import { endWithStatus } from '../wire/chunks.js';
import type { RpcSecurity } from './security.js';

/** The metadata key under which a worker sends the join token. */
export const joinTokenKey = 'fourfold-join-token';

/** Which role may call which method, and whether it must send the join token. A method without a rule cannot be called. */
const rules: Partial<Record<string, { role: Role; needsToken: boolean }>> = {
  '/fourfold.v1.Coordinator/Join': { role: 'worker', needsToken: true },
  '/fourfold.v1.Coordinator/PullParameters': { role: 'worker', needsToken: true },
  // The process that starts a run's parts watches it, with their token and a certificate for all roles.
  '/fourfold.v1.Coordinator/Watch': { role: 'worker', needsToken: true },
  '/fourfold.v1.Worker/PullGradient': { role: 'coordinator', needsToken: false },
};

/** Whether a method, by its path, has a rule. */
export const hasRule = (path: string): boolean => path in rules;

/** The parts of a call that a guard checks; every call of a grpc-js server has them. */
interface Caller extends NodeJS.EventEmitter {
  metadata: { get(key: string): (string | Buffer)[] };
  getPeer(): string;
  getAuthContext(): { sslPeerCertificate?: { subjectaltname?: string } };
}

interface Refusal {
  code: status;
  /** Bounded: it repeats nothing of the caller's. */
  reason: string;
}

/** Wrap handlers so that callers without permission are refused before the handler sees the call. */
export function guardHandlers(
  definition: ServiceDefinition,
  handlers: UntypedServiceImplementation,
  security: RpcSecurity,
  onRefused: (peer: string, reason: string) => void,
): UntypedServiceImplementation {
  const answered = Object.entries(definition).filter(([name]) => name in handlers);
  const guarded = answered.map(([name, { path }]) => {
    const handler = handlers[name] as (call: Caller, ...rest: unknown[]) => void;
    const guard = (call: Caller, ...rest: unknown[]) => {
      const refusal = refusalOf(call, path, security);
      if (!refusal) return handler(call, ...rest);
      onRefused(call.getPeer(), refusal.reason);
      endWithStatus(call, refusal.code, refusal.reason);
    };
    return [name, guard];
  });
  return Object.fromEntries(guarded) as UntypedServiceImplementation;
}

/** Why the holder of a verified certificate may not do what is for one of these roles; undefined if it may. */
export function roleProblem(roles: readonly Role[], certificate: Parameters<typeof rolesOf>[0]): string | undefined {
  const found = rolesOf(certificate);
  if (roles.some((role) => found.includes(role))) return undefined;
  return `this is for the role ${roles.join(' or ')}, the certificate is for ${found.length === 0 ? 'no role' : found.join(', ')}`;
}

function refusalOf(call: Caller, path: string, { identity, joinToken }: RpcSecurity): Refusal | undefined {
  const rule = rules[path];
  if (!rule) return { code: status.PERMISSION_DENIED, reason: 'no rule allows this call' };
  const reason = identity && roleProblem([rule.role], call.getAuthContext().sslPeerCertificate);
  if (reason) return { code: status.PERMISSION_DENIED, reason };
  if (joinToken === undefined || !rule.needsToken) return undefined;
  const [shown] = call.metadata.get(joinTokenKey);
  if (shown === undefined) return { code: status.UNAUTHENTICATED, reason: 'the worker sent no join token' };
  return equalSecrets(String(shown), joinToken)
    ? undefined
    : { code: status.UNAUTHENTICATED, reason: 'the worker sent a different join token from the coordinator’s' };
}
