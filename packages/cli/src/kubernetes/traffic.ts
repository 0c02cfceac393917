import { FourfoldError } from '@fourfold/common';

/*
 * Whether a run uses TLS. Its pods need certificates then, and the servers of its namespace speak TLS: both come from the overlay `tls`.
 */

/** The ConfigMap that every pod takes its environment from. */
export const environmentName = 'fourfold-environment';

export interface Traffic {
  tls: boolean;
  /** What the user should know about it. */
  note?: string;
}

const inPlainText =
  'the traffic of this run is in plain text: pictures, weights and the keys of the object store can be read on the cluster’s network; ' +
  'docs/kubernetes.md, “TLS”, says how to change that';

/**
 * What was asked for, or else what the namespace is prepared for: it allows plain text with FOURFOLD_INSECURE=1. Throws `invalid` for plain
 * text where it does not.
 */
export function trafficOf(asked: boolean | undefined, environment: Record<string, string>, namespace: string): Traffic {
  const allowsPlainText = environment['FOURFOLD_INSECURE'] === '1';
  if (asked === false && !allowsPlainText) {
    throw new FourfoldError('invalid', `--no-tls: namespace ${namespace} requires TLS`, {
      hint: `omit it; FOURFOLD_INSECURE=1 in the ConfigMap ${environmentName} would allow plain text`,
    });
  }
  const tls = asked ?? !allowsPlainText;
  return tls ? { tls } : { tls, note: inPlainText };
}

/** The same without a cluster to ask: with TLS, unless plain text was asked for. */
export function trafficWithoutCluster(asked: boolean | undefined): Traffic {
  if (asked === false) return { tls: false, note: inPlainText };
  const note =
    'rendered with TLS, for a namespace with certificates (deploy/k8s/overlays/tls); --no-tls is for one without';
  return asked ? { tls: true } : { tls: true, note };
}
