import { status, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { equalSecrets } from '../security/join-token.js';
import { rolesOf, type Role } from '../security/roles.js';
import { endWithStatus } from './chunks.js';
import type { RpcSecurity } from './security.js';

/** The key of a call's metadata under which a worker shows the join token. */
export const joinTokenKey = 'fourfold-join-token';

/** Which role may call what, and whether it must know the join token. What has no rule here nobody may call. */
const rules: Partial<Record<string, { role: Role; showsToken: boolean }>> = {
  '/fourfold.v1.Coordinator/Join': { role: 'worker', showsToken: true },
  '/fourfold.v1.Coordinator/PullParameters': { role: 'worker', showsToken: true },
  // Whoever starts a run's parts watches it: with their token, and a certificate for all roles.
  '/fourfold.v1.Coordinator/Watch': { role: 'worker', showsToken: true },
  '/fourfold.v1.Worker/PullGradient': { role: 'coordinator', showsToken: false },
};

/** Whether anybody may call a method, by its path. */
export const hasRule = (path: string): boolean => path in rules;

/** What a guard looks at; every call of grpc-js's server has it. */
interface Caller extends NodeJS.EventEmitter {
  metadata: { get(key: string): (string | Buffer)[] };
  getPeer(): string;
  getAuthContext(): { sslPeerCertificate?: { subjectaltname?: string } };
}

interface Refusal {
  code: status;
  /** Bounded: nothing of it is the caller's own words. */
  reason: string;
}

/** Handlers that refuse the callers whom the rules do not allow, before they see the call. */
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

function refusalOf(call: Caller, path: string, { identity, joinToken }: RpcSecurity): Refusal | undefined {
  const rule = rules[path];
  if (!rule) return { code: status.PERMISSION_DENIED, reason: 'no rule allows this call' };
  const found = rolesOf(call.getAuthContext().sslPeerCertificate);
  if (identity && !found.includes(rule.role)) {
    const holder = found.length === 0 ? 'no role' : found.join(', ');
    return {
      code: status.PERMISSION_DENIED,
      reason: `this is for the role ${rule.role}, the certificate is for ${holder}`,
    };
  }
  if (joinToken === undefined || !rule.showsToken) return undefined;
  const [shown] = call.metadata.get(joinTokenKey);
  if (shown === undefined) return { code: status.UNAUTHENTICATED, reason: 'the worker shows no join token' };
  return equalSecrets(String(shown), joinToken)
    ? undefined
    : { code: status.UNAUTHENTICATED, reason: 'the worker shows another join token than the coordinator’s' };
}
