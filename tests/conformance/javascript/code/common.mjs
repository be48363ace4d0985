// What the handlers share: retries, serializers, and errors to fail with.

import { createRetryStrategy, JitterStrategy, withDurableExecution } from "@aws/durable-execution-sdk-js";

/** Makes a handler. */
export const durable = (handler, options) => withDurableExecution(handler, options);

/** Returns a strategy that tries so many times, without jitter. */
export const attempts = (count, { delaySeconds = 1, backoffRate = 1, ...filters } = {}) =>
  createRetryStrategy({
    maxAttempts: count,
    initialDelay: { seconds: delaySeconds },
    backoffRate,
    jitter: JitterStrategy.NONE,
    ...filters,
  });

export const NO_RETRY = { retryStrategy: attempts(1) };

/** Fails, as a step, a branch, an item, a submitter or a check. */
export const fail = async () => {
  throw new Error("this always fails");
};

/** Returns what gives one value as a step, a branch or an item. */
export const always = (value) => async () => value;

/** Returns what gives one value by a step, as the body of a child context or a branch. */
export const stepOf = (value) => (context) => context.step(always(value));

/** Returns a step that succeeds at this attempt, and fails before it. */
export const failsUntil =
  (attempt, value, error = new Error("not yet")) =>
  async (step) => {
    if (step.attempt < attempt) throw error;
    return value;
  };

/** Writes and reads values with two functions. */
export const textSerdes = (write, read) => ({
  serialize: async (value) => write(value),
  deserialize: async (text) => (text === undefined ? undefined : read(text)),
});

export const COUNTS = ["completionReason", "successCount", "failureCount", "totalCount"];
export const OUTCOME = [...COUNTS, "status"];

/** Returns what a map or parallel operation says about itself. */
export const facts = (result, names) => Object.fromEntries(names.map((name) => [name, result[name]]));
