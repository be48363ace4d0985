// Suite `wait_for_condition`: one function for each requirement 6-x.

import { createWaitStrategy, JitterStrategy } from "@aws/durable-execution-sdk-js";
import { durable, fail, textSerdes } from "./common.mjs";

const TAGGED = textSerdes(
  (state) => `state:${state}`,
  (text) => text.replace(/^state:/, ""),
);

/** Returns the configuration that polls from a state until another is reached. */
const polling = (initialState, until, { delaySeconds = 1, maxAttempts = 60, ...options } = {}) => ({
  initialState,
  waitStrategy: createWaitStrategy({
    shouldContinuePolling: (state) => !until(state),
    initialDelay: { seconds: delaySeconds },
    backoffRate: 1,
    jitter: JitterStrategy.NONE,
    maxAttempts,
  }),
  ...options,
});

/** Counts one up with each poll, until the threshold is reached. */
const count = (context, initial, threshold, { name, ...options } = {}) =>
  context.waitForCondition(
    name,
    async (state) => state + 1,
    polling(initial, (state) => state >= threshold, options),
  );

export const basic = durable((event, context) => count(context, 0, event));

export const immediate = durable((event, context) =>
  context.waitForCondition(
    async (state) => state,
    polling(event, (state) => state >= event),
  ),
);

export const named = durable((event, context) => count(context, 0, event, { name: "poll-status" }));

export const initialState = durable((event, context) => count(context, 5, event));

export const fixedDelay = durable((event, context) => count(context, 0, event, { delaySeconds: 2 }));

export const attemptsExhausted = durable((_event, context) => count(context, 0, 1000, { maxAttempts: 3 }));

export const checkFails = durable((_event, context) => context.waitForCondition(fail, polling(0, Boolean)));

export const failureCaught = durable(async (_event, context) => {
  try {
    return await context.waitForCondition(fail, polling(0, Boolean));
  } catch {
    return "recovered";
  }
});

export const complexObject = durable((_event, context) =>
  context.waitForCondition(
    async ({ attempts }) => ({ status: attempts === 1 ? "DONE" : "PENDING", attempts: attempts + 1 }),
    polling({ status: "PENDING", attempts: 0 }, ({ status }) => status === "DONE"),
  ),
);

export const nullState = durable((_event, context) =>
  context.waitForCondition(
    async () => null,
    polling(null, () => true),
  ),
);

export const customSerdes = durable((_event, context) =>
  context.waitForCondition(
    async (state) => `${state}x`,
    polling("", (state) => state.length === 2, { serdes: TAGGED }),
  ),
);

export const thenStep = durable(async (event, context) => {
  const state = await count(context, 0, event);
  return context.step(async () => state * 10);
});

export const sequential = durable(async (_event, context) => count(context, await count(context, 0, 2), 4));
