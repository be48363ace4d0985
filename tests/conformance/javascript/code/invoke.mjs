// Suite `invoke`: one function for each requirement 5-x, and the functions that they call.

import { always, durable, textSerdes } from "./common.mjs";

const { TARGET } = process.env;
const UPPER_CASE = textSerdes(
  (value) => JSON.stringify(value).toUpperCase(),
  (text) => text.toUpperCase(),
);

/** Calls the target, by the form with a name: in the other a text as payload is read as the function. */
const call = (context, payload, config) => context.invoke("call", TARGET, payload, config);

export const targetEcho = durable(async (event, context) => {
  await context.wait({ seconds: 1 }); // the caller is suspended by then
  return event;
});

export const targetError = durable(async (_event, context) => {
  await context.wait({ seconds: 1 });
  throw new Error("the target fails");
});

export const basic = durable((event, context) => call(context, event));

export const named = durable((event, context) => context.invoke(event.name, TARGET, event.payload));

export const complexObject = durable((event, context) => call(context, event));

export const nullResult = durable((_event, context) => call(context, null));

export const failure = durable((event, context) => call(context, event));

export const failureCaught = durable(async (event, context) => {
  try {
    return await call(context, event);
  } catch {
    return "fallback";
  }
});

export const largePayload = durable(async (_event, context) => {
  const result = await call(context, "x".repeat(200 * 1024));
  return result.length;
});

export const tenant = durable((event, context) =>
  call(context, event.payload, { tenantId: event.tenantId }),
);

export const replayedSuccess = durable(async (_event, context) => {
  const result = await call(context, "echo");
  await context.wait({ seconds: 1 });
  return result;
});

export const replayedFailure = durable(async (_event, context) => {
  try {
    return await call(context, "fail");
  } catch (error) {
    await context.wait({ seconds: 1 });
    return error.message;
  }
});

export const afterStep = durable(async (_event, context) =>
  call(context, await context.step(always("from the step"))),
);

export const beforeStep = durable(async (_event, context) => {
  const result = await call(context, "from the target");
  return context.step(always(result));
});

export const inChild = durable((_event, context) =>
  context.runInChildContext((child) => call(child, "from the child")),
);

export const sequential = durable(async (_event, context) => [
  await call(context, "first"),
  await call(context, "second"),
]);

export const payloadSerdes = durable((event, context) =>
  call(context, event, { payloadSerdes: UPPER_CASE }),
);

export const resultSerdes = durable((event, context) => call(context, event, { resultSerdes: UPPER_CASE }));
