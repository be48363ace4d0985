// Suite `map`: one function for each requirement 9-x.

import { NestingType } from "@aws/durable-execution-sdk-js";
import { always, COUNTS, durable, fail, facts, OUTCOME, textSerdes } from "./common.mjs";

const ITEM = textSerdes(
  (value) => `wrapped:${value}`,
  (text) => text.replace(/^wrapped:/, ""),
);

// One serializer for the whole result.
const OPERATION = textSerdes(
  (result) => `OPSERDE:${result.getResults().join(",")}`,
  (text) => {
    const results = text.replace(/^OPSERDE:/, "").split(",");
    return { getResults: () => results };
  },
);

/** Maps items, one after the other unless told otherwise. */
const run = (context, name, items, body, options) => context.map(name, items, body, { maxConcurrency: 1, ...options });

const results = async (...run_) => (await run(...run_)).getResults();

/** Fails for the item `fail`, returns every other. */
const outcome = async (_child, item) => (item === "fail" ? fail() : item);

const upper = async (_child, item) => item.toUpperCase();

export const basic = durable((event, context) =>
  results(context, "map", event, (child, item) => child.step(always(`Hello, ${item}!`))),
);

export const unnamed = durable((event, context) => results(context, undefined, event, async (_child, item) => item * 2));

export const itemAndIndex = durable((event, context) =>
  results(context, "indexed", event, async (_child, item, index) => item + index),
);

export const empty = durable((event, context) => results(context, "empty", event, upper));

export const failFast = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 0 };
  return facts(await run(context, "failfast", ["ok", "fail", "never"], outcome, { completionConfig }), OUTCOME);
});

export const rethrow = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 0 };
  (await run(context, "throwing", ["fail", "never"], outcome, { completionConfig })).throwIfError();
});

export const minSuccessful = durable(async (_event, context) => {
  const result = await run(context, "min-successful", ["a", "b", "c", "d"], outcome, {
    completionConfig: { minSuccessful: 2 },
  });
  return facts(result, ["completionReason", "successCount", "totalCount"]);
});

export const failureTolerated = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 1 };
  return facts(await run(context, "tolerated", ["ok", "fail", "ok"], outcome, { completionConfig }), OUTCOME);
});

export const toleranceExceeded = durable(async (_event, context) => {
  const completionConfig = { toleratedFailureCount: 1 };
  const items = ["fail", "fail", "never"];
  return facts(await run(context, "tolerated-exceeded", items, outcome, { completionConfig }), COUNTS);
});

export const percentageExceeded = durable(async (_event, context) => {
  const completionConfig = { toleratedFailurePercentage: 25 };
  const items = ["fail", "fail", "never", "never"];
  return facts(await run(context, "tolerated-pct", items, outcome, { completionConfig }), COUNTS);
});

export const concurrent = durable((_event, context) =>
  results(context, "concurrent", ["r0", "r1", "r2"], outcome, { maxConcurrency: 2 }),
);

export const flat = durable((_event, context) =>
  results(context, "flat", ["fa", "fb"], (child, item) => child.step(always(item)), { nesting: NestingType.FLAT }),
);

export const itemNames = durable((event, context) =>
  results(context, "named-items", event, async (_child, item) => item * 10, { itemNamer: (item) => `item-${item}` }),
);

export const itemSerdes = durable((_event, context) =>
  results(context, "item-serdes", ["x", "y"], upper, { itemSerdes: ITEM }),
);

export const itemWaits = durable((_event, context) =>
  results(context, "suspending", ["r0", "r1"], async (child, item, index) => {
    if (index === 1) await child.wait({ seconds: 1 });
    return child.step(always(item));
  }),
);

export const largeResult = durable(async (_event, context) => {
  const result = await run(context, "large", [0, 1, 2, 3], always("x".repeat(70 * 1024)));
  return facts(result, ["successCount", "totalCount"]);
});

export const thenWait = durable(async (_event, context) => {
  const result = await run(context, "map", ["a", "b"], upper);
  await context.wait({ seconds: 1 });
  return result.getResults();
});

export const failureThenWait = durable(async (_event, context) => {
  const result = await run(context, "tolerated", ["ok", "fail"], outcome, {
    completionConfig: { toleratedFailureCount: 1 },
  });
  await context.wait({ seconds: 1 });
  return facts(result, OUTCOME);
});

export const operationSerdes = durable((_event, context) =>
  results(context, "op-serde", ["x", "y"], upper, { serdes: OPERATION }),
);

export const operationSerdesReplayed = durable(async (_event, context) => {
  const result = await run(context, "op-serde-replay", ["x", "y"], upper, { serdes: OPERATION });
  await context.wait({ seconds: 1 });
  return result.getResults();
});
