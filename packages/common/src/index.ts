/*
 * What every part needs and no part owns. The lowest package: it imports no other.
 *
 * - config/   a run's YAML: schema, checks, the iterations and halves that follow from it
 * - errors/   failures with a code and a hint; the policy that judges them
 * - files/    paths, names and URLs as people give them
 * - http/     addresses, Prometheus metrics, the HTTP port of a part
 * - log/      log lines, repeated ones, reports of long waits
 * - numbers/  random streams, exact math, medians
 * - pictures/ what a picture and a region of it are
 * - process/  the machine, the environment, clocks, resources and their end
 */

export * from './basics.js';
export { computedDifference, computedKeys } from './config/computed.js';
export { configDifferences, type ConfigDifference } from './config/differences.js';
export { totalIterations } from './config/iterations.js';
export { configSource, loadRunConfig, parseRunConfig } from './config/load.js';
export { resumedConfig, type ResumedConfig } from './config/resume.js';
export {
  type Half,
  type Network,
  type Versions,
  isCheckpointDue,
  isCheckpointExact,
  isEvaluated,
  networks,
  nextHalf,
  positionAt,
} from './config/schedule.js';
export {
  type AdamConfig,
  type BackendName,
  type DataConfig,
  type DiscriminatorConfig,
  type ExchangeConfig,
  type FeaturesConfig,
  type GeneratorConfig,
  type LossConfig,
  type PhaseConfig,
  type RunConfig,
  type TimingConfig,
  type WorkersConfig,
  dataSchema,
  exchangeSchema,
  runSchema,
} from './config/schema.js';
export { type Setting, settingText } from './config/settings.js';
export {
  type Failure,
  type FailureCode,
  type Loss,
  type Verdict,
  failureCode,
  failureCodes,
  failureError,
  growingPauseMs,
  judge,
  lossError,
  pauseAfterLosses,
  runError,
} from './errors/failures.js';
export { baseNameSchema, innerKeySchema } from './files/base-name.js';
export { readGivenFile, readStandardInput } from './files/given-file.js';
export { absoluteStoreUrl, folderOf, folderUrl, parseS3Url } from './files/store-url.js';
export { type HttpRoute, type RunningHttpServer, endWith, startHttpServer } from './http/http-server.js';
export { type Metrics, type Readings, createMetrics, stateReadings } from './http/metrics.js';
export { type PartServer, openPartServer } from './http/part-server.js';
export { createRepeats } from './log/repeats.js';
export { reportWaiting, startWaitReports } from './log/waiting.js';
export { createFreezeWatch } from './process/clock.js';
export { type Environment, readSecret } from './process/environment.js';
export { forEachThatCan } from './process/for-each.js';
export { machineId } from './process/machine.js';
export { type Own, withResources } from './process/resources.js';
export { type Role, roles } from './process/roles.js';
