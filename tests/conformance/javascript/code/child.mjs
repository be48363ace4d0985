// Suite `child`: one function for each requirement 3-x.

import { setTimeout as sleep } from "node:timers/promises";
import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { always, attempts, durable, fail, failsUntil, NO_RETRY, stepOf, textSerdes } from "./common.mjs";

const UPPER_CASE = textSerdes((value) => value.toUpperCase(), String);
const MORE_THAN_A_CHECKPOINT_HOLDS = 300 * 1024;

/** Counts in DynamoDB, which outlives the process, how often this is called in one execution. */
async function executionsOf(context) {
  const answer = await new DynamoDBClient().send(
    new UpdateItemCommand({
      TableName: process.env.TABLE_NAME,
      Key: { executionId: { S: context.executionContext.durableExecutionArn } },
      UpdateExpression: "SET attemptCount = if_not_exists(attemptCount, :zero) + :one",
      ExpressionAttributeValues: { ":zero": { N: "0" }, ":one": { N: "1" } },
      ReturnValues: "UPDATED_NEW",
    }),
  );
  return Number(answer.Attributes.attemptCount.N);
}

/** Logs even while the context replays. */
function log(context, message) {
  context.configureLogger({ modeAware: false });
  context.logger.info(message);
}

const failing = (child) => child.step(fail, NO_RETRY);

const stepAndWait = (value) => async (child) => {
  const result = await child.step(always(value));
  await child.wait({ seconds: 1 });
  return result;
};

export const basic = durable((event, context) => context.runInChildContext(stepOf(event)));

export const named = durable((event, context) => context.runInChildContext(event.name, stepOf(event.value)));

export const sequential = durable((event, context) =>
  context.runInChildContext("sequential", async (child) => {
    const first = await child.step(always(event));
    return child.step(always(first));
  }),
);

export const failure = durable((_event, context) => context.runInChildContext("failing", failing));

export const failureCaught = durable(async (event, context) => {
  try {
    return await context.runInChildContext("failing", failing);
  } catch {
    return context.step("recovery", always(event));
  }
});

export const nested = durable((event, context) =>
  context.runInChildContext("outer", async (child) => {
    const value = await child.step(always(event));
    return child.runInChildContext("inner", stepOf(value));
  }),
);

export const stepRetried = durable((event, context) =>
  context.runInChildContext("retrying", (child) =>
    child.step(failsUntil(2, event), { retryStrategy: attempts(2) }),
  ),
);

export const retriesExhausted = durable((_event, context) =>
  context.runInChildContext("retrying", (child) => child.step(fail, { retryStrategy: attempts(2) })),
);

export const replayed = durable(async (event, context) => {
  const value = await context.runInChildContext(stepOf(event));
  await context.wait({ seconds: 1 });
  return value;
});

export const stepAndWaitInside = durable((event, context) => context.runInChildContext("mixed", stepAndWait(event)));

export const largeResult = durable(async (event, context) => {
  const value = await context.runInChildContext("large", async (child) => {
    log(child, `the child runs with ${event}`);
    const letter = await child.step(always("x"));
    return letter.repeat(MORE_THAN_A_CHECKPOINT_HOLDS);
  });
  await context.wait({ seconds: 1 });
  return value.length;
});

export const interrupted = durable((event, context) =>
  context.runInChildContext("interrupted", (child) =>
    child.step(async () => {
      if ((await executionsOf(context)) === 1) {
        await sleep(1000); // so that the checkpoint of the start is out
        process.exit(1);
      }
      return event;
    }),
  ),
);

export const waitInside = durable(async (event, context) => {
  const value = await context.runInChildContext("waiting", async (child) => {
    await child.wait({ seconds: 1 });
    return event;
  });
  return context.step(always(value));
});

export const customSerdes = durable((event, context) =>
  context.runInChildContext("upper-case", stepOf(event), { serdes: UPPER_CASE }),
);

export const failureWithoutStep = durable((_event, context) => context.runInChildContext("failing", fail));

export const nullResult = durable((_event, context) => context.runInChildContext("nothing", always(null)));

export const loggingOnly = durable(async (event, context) => {
  const value = await context.runInChildContext("logging", async (child) => {
    log(child, `the child runs with ${event}`);
    return event;
  });
  await context.wait({ seconds: 1 });
  return value;
});

export const stepAndWaitTwice = durable(async (event, context) => {
  const value = await context.runInChildContext("mixed", stepAndWait(event));
  return stepAndWait(value)(context);
});
