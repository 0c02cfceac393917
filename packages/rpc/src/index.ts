/*
 * The wire between coordinator and workers: messages of proto/fourfold/v1/fourfold.proto, and vectors beside them.
 *
 * - ends/      servers and clients, and who may call which method (permissions.ts)
 * - stream/    the bulk stream: vectors in frames over connections of their own
 * - security/  certificates, TLS identities, roles, join tokens
 * - vectors/   wire formats and sums (their arithmetic is in ../assembly), files in shared memory, counts of bytes
 * - wire/      the protocol: checked messages, vectors as streams of chunks
 */

export { createCoordinatorClient, createWorkerClient } from './ends/client.js';
export { addCertificateMetrics } from './ends/renewal.js';
export { type RpcSecurity, listenAddress, readRpcSecurity } from './ends/security.js';
export { type RunningServer, startServer } from './ends/server.js';
export { whyNoTrust } from './ends/trust.js';
export { type Chunk } from './generated/fourfold/v1/Chunk.js';
export { type CoordinatorClient, type CoordinatorHandlers } from './generated/fourfold/v1/Coordinator.js';
export {
  type CoordinatorMessage,
  type CoordinatorMessage__Output,
} from './generated/fourfold/v1/CoordinatorMessage.js';
export { type EvaluationWork__Output } from './generated/fourfold/v1/EvaluationWork.js';
export { type Lease__Output } from './generated/fourfold/v1/Lease.js';
export { type NewParameters, type NewParameters__Output } from './generated/fourfold/v1/NewParameters.js';
export { type Leaving__Output } from './generated/fourfold/v1/Leaving.js';
export { type PictureScore__Output } from './generated/fourfold/v1/PictureScore.js';
export { type Register, type Register__Output } from './generated/fourfold/v1/Register.js';
export { type ReplicaWork__Output } from './generated/fourfold/v1/ReplicaWork.js';
export { type RunStatus, type RunStatus__Output } from './generated/fourfold/v1/RunStatus.js';
export { type SharedFile__Output } from './generated/fourfold/v1/SharedFile.js';
export { type Token__Output } from './generated/fourfold/v1/Token.js';
export { type Welcome, type Welcome__Output } from './generated/fourfold/v1/Welcome.js';
export { type WorkerClient, type WorkerHandlers } from './generated/fourfold/v1/Worker.js';
export { type WorkerKind__Output } from './generated/fourfold/v1/WorkerKind.js';
export { type WorkerMessage, type WorkerMessage__Output } from './generated/fourfold/v1/WorkerMessage.js';
export { joinTokenVariable, randomJoinToken, readJoinToken } from './security/join-token.js';
export { type TlsIdentity, readTlsIdentity } from './security/tls.js';
export { probeTls } from './security/tls-probe.js';
export { createStreamChoice, type StreamChoice } from './stream/choice.js';
export { type StreamKind, type StreamRequest, frameBytes } from './stream/frame.js';
export {
  type OnReached,
  type StreamOptions,
  type StreamPeer,
  type StreamReceiver,
  createStreamReceiver,
  lostWorker,
} from './stream/receiver.js';
export { type SumHop, decodeRoute, sumFailure, sumRequest } from './stream/route.js';
export { isSecret, randomStreamSecret } from './stream/secret.js';
export { type StreamSource, type StreamedPieces, type StreamedVector } from './stream/stream-server.js';
export { formatsProblem, wireFormats } from './vectors/formats.js';
export { type HopCounts, addHopMetrics, createHopCounts } from './vectors/hop-counts.js';
export { deltaKinds, parameterKinds, type ParameterKind, type PulledParameters } from './vectors/parameter-kinds.js';
export {
  type OwnFile,
  type PeerFile,
  type Stamp,
  createSharedFile,
  openSharedFile,
  pieceBytes,
  readVector,
  readVectorSync,
  secretStamp,
  whyNotShared,
} from './vectors/shared-file.js';
export { addTrafficMetrics } from './vectors/traffic-metrics.js';
export { type Traffic, type Transport, createTraffic } from './vectors/traffic.js';
export { type GradientSum, createGradientSum } from './vectors/gradient-sum.js';
export { type WireVector, createViewVector, createWireVector } from './vectors/wire-vector.js';
export { type ReceiveOptions, endWithStatus, receiveVector, sendVector } from './wire/chunks.js';
export {
  coordinatorMessageSchema,
  gradientRequestSchema,
  leavingSchema,
  maxScores,
  messageProblem,
  parametersRequestSchema,
  reasonOf,
  registerSchema,
  workerMessageSchema,
} from './wire/messages.js';
export { networkOf, wireNetworks } from './wire/networks.js';
export { chunkBytes, protocolVersion, tokenName, wire } from './wire/wire.js';
