import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import tls, { type PeerCertificate } from 'node:tls';
import type { KubernetesObject, V1Deployment } from '@kubernetes/client-node';
import { expect, test, vi } from 'vitest';
import { startCertManager } from '../support/cert-manager.js';
import { secret, untilReady } from '../support/guide-namespace.js';
import { accessSecret, kustomize } from '../support/kubernetes.js';
import { patience } from '../support/real-nodes.js';
import { placedOnFirstNode, type Runs } from './runs.js';

const team = 'team-a';

/** The overlay `tls` in a namespace of its own, where cert-manager makes the certificates that the guide's namespace has from `fourfold certificates`. */
export function testCertificates(runs: () => Runs): void {
  test.sequential('cert-manager makes the certificates of a namespace, and NATS serves with its own', async () => {
    const { cluster } = runs();
    await startCertManager(cluster);
    // MinIO, the StatefulSet, would need a volume.
    const objects = (await kustomize('overlays/team')).filter(({ kind }) => kind !== 'StatefulSet');
    for (const object of objects.map(placed)) await vi.waitFor(() => cluster.apply(object), patience);
    await cluster.apply(secret('fourfold-access', accessSecret, team));
    const nats = await untilReady(cluster, 'fourfold-nats', team);

    const certificateOf = async (role: string) => {
      const { data } = await cluster.core.readNamespacedSecret({ name: `fourfold-${role}-tls`, namespace: team });
      const [own, authority] = ['tls.crt', 'ca.crt'].map(
        (name) => new X509Certificate(Buffer.from(data![name], 'base64')),
      );
      expect(own.verify(authority.publicKey), role).toBe(true);
      return { own, authority };
    };
    for (const role of ['coordinator', 'worker', 'data-loader', 'minio']) await certificateOf(role);
    const { own, authority } = await certificateOf('nats');
    expect(own.subjectAltName).toContain(`fourfold-nats.${team}.svc`);
    const served = await servedBy(await cluster.forward(nats, 4222), authority);
    expect(served.fingerprint256).toBe(own.fingerprint256);
  });
}

/** A Deployment's pods go to the node that stays; anything else is as it is. */
function placed(object: KubernetesObject): KubernetesObject {
  if (object.kind !== 'Deployment') return object;
  const changed = structuredClone(object) as V1Deployment;
  Object.assign(changed.spec!.template.spec!, placedOnFirstNode);
  return changed;
}

/** The certificate of a NATS server on this machine, which starts TLS after its first line, if that authority has signed it. */
async function servedBy(port: number, authority: X509Certificate): Promise<PeerCertificate> {
  const signal = AbortSignal.timeout(30_000);
  const plain = net.connect(port, 'localhost');
  await once(plain, 'data', { signal });
  const secured = tls.connect({ socket: plain, ca: authority.toString(), servername: 'fourfold-nats' });
  await once(secured, 'secureConnect', { signal });
  const certificate = secured.getPeerCertificate();
  secured.destroy();
  return certificate;
}
