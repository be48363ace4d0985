// Suite `step`: one function for each requirement 1-x.

import { StepSemantics } from "@aws/durable-execution-sdk-js";
import { always, attempts, durable, fail, failsUntil, NO_RETRY, textSerdes } from "./common.mjs";

const UPPER_CASE = textSerdes((value) => JSON.stringify(value.toUpperCase()), JSON.parse);

/** The error that a retry strategy may know. */
class TransientError extends Error {
  name = "TransientError";
}

/** Returns a step that logs its input, and ends its process before this attempt. */
const crashesUntil = (attempt, event) => async (step) => {
  step.logger.info(`input: ${event}`);
  if (step.attempt < attempt) process.exit(1);
  return "succeeded on second attempt";
};

/** Returns the configuration of a step that is not run again after a crash. */
const atMostOnce = (retryStrategy) => ({ retryStrategy, semantics: StepSemantics.AtMostOncePerRetry });

export const greeting = durable((event, context) => context.step(always(`Hello, ${event}!`)));

export const named = durable((event, context) => context.step("custom_step_name", always(`Hello, ${event}!`)));

export const sequential = durable(async (_event, context) => {
  const first = await context.step(always("first"));
  return context.step(always(`${first}_second`));
});

export const complexObject = durable((event, context) =>
  context.step(always({ user: event, count: event.tags.length })),
);

export const nullResult = durable((_event, context) => context.step(always(null)));

export const customSerdes = durable((event, context) => context.step(always(event), { serdes: UPPER_CASE }));

export const logging = durable((event, context) =>
  context.step(async (step) => {
    step.logger.info(`Greeting step started for: ${event}`);
    step.logger.info(`Greeting step completed with: Hello, ${event}!`);
    return `Hello, ${event}!`;
  }),
);

export const thenWait = durable(async (_event, context) => {
  const value = await context.step(always("computed"));
  await context.wait({ seconds: 2 });
  return value;
});

export const replayedSuccess = durable(async (_event, context) => {
  const value = await context.step(async (step) => {
    step.logger.info("step executed");
    return "cached_value";
  });
  await context.wait({ seconds: 1 });
  return value;
});

export const replayedFailure = durable(async (_event, context) => {
  try {
    return await context.step(fail, NO_RETRY);
  } catch (error) {
    await context.wait({ seconds: 1 });
    return error.message;
  }
});

export const retried = durable((_event, context) =>
  context.step(failsUntil(2, "Operation succeeded"), { retryStrategy: attempts(2) }),
);

export const retriesExhausted = durable((_event, context) => context.step(fail, { retryStrategy: attempts(4) }));

export const defaultRetries = durable((_event, context) => context.step(failsUntil(3, "third time lucky")));

export const backoff = durable((_event, context) =>
  context.step(failsUntil(3, "third time lucky"), {
    retryStrategy: attempts(5, { delaySeconds: 2, backoffRate: 3 }),
  }),
);

export const retryableError = durable((_event, context) =>
  context.step(failsUntil(2, "done", new TransientError("busy")), {
    retryStrategy: attempts(3, { retryableErrorTypes: [TransientError] }),
  }),
);

export const errorNotRetryable = durable((_event, context) =>
  context.step(failsUntil(2, "done", new TransientError("busy")), {
    retryStrategy: attempts(3, { retryableErrorTypes: [RangeError] }),
  }),
);

export const crashNotRetried = durable((event, context) =>
  context.step("at_most_once_flaky_step", crashesUntil(2, event), atMostOnce(attempts(1))),
);

export const crashRetried = durable((event, context) =>
  context.step(crashesUntil(2, event), atMostOnce(attempts(2))),
);

export const failure = durable((_event, context) => context.step(fail, NO_RETRY));

export const failureCaught = durable(async (_event, context) => {
  try {
    return await context.step(fail, NO_RETRY);
  } catch {
    return context.step(always("fallback_result"));
  }
});
