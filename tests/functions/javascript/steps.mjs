// Steps: success, retry, semantics, crashes.

import { StepSemantics } from "@aws/durable-execution-sdk-js";

import { attempts, blockUntil, firstTime, note } from "./common.mjs";

const never = async () => {
  throw new RangeError("never");
};

export const step = (event, context) => context.step("greet", async () => `Hello, ${event.name}!`);

export const step_echo = (event, context) => context.step("echo", async () => event.value);

export const step_retry = (event, context) =>
  context.step(
    "flaky",
    async () => {
      if (await firstTime(event, "tried")) throw new RangeError("not yet");
      return "second";
    },
    { retryStrategy: attempts(2) },
  );

export const step_retry_exhausted = (_event, context) =>
  context.step("hopeless", never, { retryStrategy: attempts(2) });

export const step_fails = (_event, context) => context.step("hopeless", never, { retryStrategy: attempts(1) });

export async function step_failure_caught(_event, context) {
  try {
    await context.step("hopeless", never, { retryStrategy: attempts(1) });
  } catch (error) {
    return `caught ${error.message}`;
  }
  return "not caught";
}

export const step_at_most_once = (_event, context) =>
  context.step("careful", async () => "once", { semantics: StepSemantics.AtMostOncePerRetry });

const crashing = (event, context, tries) =>
  context.step(
    "crashing",
    async () => {
      if (await firstTime(event, "crashed")) process.exit(1);
      return "succeeded on second attempt";
    },
    { retryStrategy: attempts(tries), semantics: StepSemantics.AtMostOncePerRetry },
  );

export const step_crash_retried = (event, context) => crashing(event, context, 2);

export const step_crash_not_retried = (event, context) => crashing(event, context, 1);

export async function crash_between_steps(event, context) {
  const noted = (name) => async () => {
    await note(event, "runs", name);
    return name;
  };
  const first = await context.step("first", noted("first"));
  if (await firstTime(event, "crashed")) process.exit(1);
  return [first, await context.step("second", noted("second"))];
}

export async function blocked_step(event, context) {
  const first = await context.step("first", async () => {
    await note(event, "runs", "first");
    return "first";
  });
  const second = await context.step("second", async () => {
    await note(event, "runs", "second");
    await blockUntil(event, "proceed");
    return "second";
  });
  return [first, second];
}

export async function many_steps(event, context) {
  let sum = 0;
  for (let n = 0; n < event.count; n += 1) sum += await context.step(`step-${n}`, async () => n);
  return sum;
}

export async function ten_steps(_event, context) {
  let sum = 0;
  for (let number = 1; number <= 10; number += 1) {
    sum += await context.step(`step-${number}`, async () => number);
  }
  return sum;
}
