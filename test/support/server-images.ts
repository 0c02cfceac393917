import type { KubernetesObject } from '@kubernetes/client-node';
import type { ServerImages } from './cluster-images.js';

/** The images of the servers in rendered manifests, with their registries. */
export function serverImagesOf(objects: readonly KubernetesObject[]): ServerImages {
  const images = [...JSON.stringify(objects).matchAll(/"image":"([^"]+)"/g)].map(([, image]) => image);
  const imageOf = (name: string) => {
    const image = images.find((one) => new RegExp(`(^|/)${name}:`).test(one));
    if (!image) throw new Error(`the manifests name no image ${name}, only ${images.join(', ')}`);
    return image.includes('/') ? image : `docker.io/library/${image}`;
  };
  return { nats: imageOf('nats'), minio: imageOf('minio') };
}
