import type { PeerCertificate } from 'node:tls';
import { roles, type Role } from '@fourfold/common';

/*
 * The role of a certificate's holder. Certificates carry roles instead of hosts, since a pod has no fixed address.
 */

const domain = '.fourfold';

/** The DNS name of a role in certificates, which a client expects of the server that it dials. */
export const roleName = (role: Role): string => `${role}${domain}`;

/** Whether a name is in the domain of the roles, which no server's host may be. */
export const isRoleName = (name: string): boolean => name.toLowerCase().endsWith(domain);

/** The roles that a verified certificate carries. */
export function rolesOf(certificate: Pick<PeerCertificate, 'subjectaltname'> | undefined): Role[] {
  const names = (certificate?.subjectaltname ?? '').split(', ');
  return roles.filter((role) => names.includes(`DNS:${roleName(role)}`));
}
