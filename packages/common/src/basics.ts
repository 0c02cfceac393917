/*
 * The part of this package that loads no library. Threads, short commands and browsers, which start often, load it instead of the whole
 * package, whose config needs zod. The index exports all of it, too.
 */

export { type LpipsChoice, backendChoices, bestByChoices, lpipsChoices } from './config/choices.js';
export { contentFeatures, spreadWindow, type ContentFeatures } from './config/content-features.js';
export { lpipsVggLayers } from './config/paper-features.js';
export { type Tree, isTree } from './config/tree.js';
export { type ErrorCode, exitCodes } from './errors/error-codes.js';
export {
  FourfoldError,
  asOfMachine,
  describeError,
  exitCodeOf,
  isOfSystem,
  systemErrorCode,
  transferFailure,
} from './errors/errors.js';
export { didYouMean } from './errors/nearest.js';
export { systemFailureCode, systemReason } from './errors/system-errors.js';
export { cacheFolder } from './files/cache-folder.js';
export { type Trail, beginTrail, trailInto } from './files/folder-links.js';
export { expandHome } from './files/home.js';
export { sha256 } from './files/sha256.js';
export { type Address, isLoopback, parseAddress, peerAddress, targetOf } from './http/address.js';
export { type Logger, createLogger, logAbout } from './log/log.js';
export { exactCos, exactExp, exactLog10, exactSin } from './numbers/exact-math.js';
export { highestPsnr } from './numbers/highest-psnr.js';
export { median } from './numbers/median.js';
export { permutation, randomStream } from './numbers/random.js';
export { type Picture, type Rectangle } from './pictures/picture.js';
export { reflected } from './pictures/reflected.js';
export { copyBytes } from './process/copy-bytes.js';
export { unlessAborted, untilAborted, withDeadline } from './process/waits.js';
