/** The kinds of failure, and the code with which a process exits that ends with one: 2 for a user's mistake, 1 for all others. */
export const exitCodes = {
  /** The user's input is wrong: config, argument, picture, weights of another shape, an output that exists. */
  invalid: 2,
  'not-found': 2,
  /** The system does not let this process use a path: no permission, a folder where a file is needed, a name too long. */
  denied: 2,
  /** Stored bytes are not what their hash says. */
  corrupt: 1,
  /** Another process holds the name or the term. */
  conflict: 1,
  'no-space': 1,
  /** A process, service or device is unavailable, or did not answer in time. */
  unavailable: 1,
  /** A server refuses this process or its request, which may change without this process. */
  refused: 1,
  /** A peer has another protocol version, backend or kind. */
  mismatch: 1,
} as const;

/** What kind of failure it is; decides the exit code and whether a retry can help. */
export type ErrorCode = keyof typeof exitCodes;
