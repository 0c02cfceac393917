/*
 * zod, whose types are here. At run time package.json's `exports` has the build's bundle of it in this module's place (scripts/bundle-zod.mjs):
 * zod's own index loads messages in 60 languages, each a file, which took every process a twentieth of a second.
 */
export { z } from 'zod';
