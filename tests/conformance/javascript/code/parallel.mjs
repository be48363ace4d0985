// Suite `parallel`: one function for each requirement 8-x.

import { NestingType } from "@aws/durable-execution-sdk-js";
import { always, COUNTS, durable, fail, facts, OUTCOME, stepOf, textSerdes } from "./common.mjs";

const WRAPPED = textSerdes(
  (value) => JSON.stringify({ wrapped: value }),
  (text) => JSON.parse(text).wrapped,
);

/** Runs branches, one after the other unless told otherwise. */
const run = (context, name, branches, options) => context.parallel(name, branches, { maxConcurrency: 1, ...options });

const results = async (...run_) => (await run(...run_)).getResults();

const ok = always("ok");
const never = always("never");

export const basic = durable((_event, context) => results(context, "parallel", [stepOf("task-1"), stepOf("task-2")]));

export const unnamed = durable((_event, context) => results(context, undefined, [always("alpha"), always("beta")]));

export const namedBranches = durable((_event, context) =>
  results(context, "named", [
    { name: "first", func: always("one") },
    { name: "second", func: always("two") },
  ]),
);

export const mixedTypes = durable((_event, context) =>
  results(context, "hetero", [always("hello"), always(42), always({ k: "v" })]),
);

export const empty = durable((_event, context) => results(context, "empty", []));

export const failFast = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 0 };
  return facts(await run(context, "failfast", [ok, fail, never], { completionConfig }), OUTCOME);
});

export const rethrow = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 0 };
  (await run(context, "throwing", [fail, never], { completionConfig })).throwIfError();
});

export const minSuccessful = durable(async (_event, context) => {
  const result = await run(context, "min-successful", [ok, ok, never, never], {
    completionConfig: { minSuccessful: 2 },
  });
  return facts(result, ["completionReason", "successCount", "totalCount"]);
});

export const failureTolerated = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 1 };
  return facts(await run(context, "tolerated", [ok, fail, ok], { completionConfig }), OUTCOME);
});

export const toleranceExceeded = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 1 };
  return facts(await run(context, "tolerated-exceeded", [fail, fail, never], { completionConfig }), COUNTS);
});

export const concurrent = durable((_event, context) =>
  results(context, "concurrent", [always("r0"), always("r1"), always("r2")], { maxConcurrency: 2 }),
);

export const flat = durable((_event, context) =>
  results(context, "flat", [stepOf("fa"), stepOf("fb")], { nesting: NestingType.FLAT }),
);

export const percentageExceeded = durable(async (_event, context) => {
  const completionConfig = { toleratedFailurePercentage: 25 };
  return facts(await run(context, "tolerated-pct", [fail, fail, never, never], { completionConfig }), COUNTS);
});

export const branchWaits = durable((_event, context) => {
  const waiting = async (branch) => {
    await branch.wait({ seconds: 2 });
    return "b1";
  };
  return results(context, "suspending", [stepOf("b0"), waiting]);
});

export const itemSerdes = durable((_event, context) =>
  results(context, "serde", [always("x"), always("y")], { itemSerdes: WRAPPED }),
);

export const allFail = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 3 };
  return facts(await run(context, "all-fail", [fail, fail, fail], { completionConfig }), OUTCOME);
});

export const minNotReached = durable(async (_event, context) => {
  const completionConfig = { minSuccessful: 3 };
  return facts(await run(context, "min-not-reached", [ok, fail, ok], { completionConfig }), OUTCOME);
});

export const bothCriteria = durable(async (_event, context) => {
  const completionConfig = { minSuccessful: 3, toleratedFailureCount: 1 };
  return facts(await run(context, "combined", [fail, fail, never, never], { completionConfig }), COUNTS);
});

export const badConcurrency = durable((_event, context) =>
  results(context, "bad-concurrency", [always("a"), always("b")], { maxConcurrency: 0 }),
);

export const accessors = durable(async (_event, context) => {
  const result = await run(context, "accessors", [ok, fail, ok], { completionConfig: { toleratedFailureCount: 1 } });
  return {
    hasFailure: result.hasFailure,
    successCount: result.succeeded().length,
    failureCount: result.failed().length,
    errorCount: result.getErrors().length,
  };
});

export const nested = durable((_event, context) =>
  results(context, "outer", [(branch) => results(branch, "inner", [stepOf("i1"), stepOf("i2")])]),
);

export const percentageReached = durable(async (_event, context) => {
  const completionConfig = { toleratedFailurePercentage: 25 };
  return facts(await run(context, "pct-boundary", [fail, ok, ok, ok], { completionConfig }), OUTCOME);
});
