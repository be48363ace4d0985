// Suite `wait_for_callback`: one function for each requirement 7-x. The input is the operation's name.

import { always, attempts, durable, fail, textSerdes } from "./common.mjs";

const JSON_SERDES = textSerdes(JSON.stringify, JSON.parse);

/** Asks nobody: the requirement itself answers. */
const ask = async () => {};

/** Asks, and waits for the answer. */
const answer = (context, name, config) => context.waitForCallback(name, ask, config);

export const basic = durable((event, context) => answer(context, event));

export const named = durable((_event, context) => answer(context, "approval"));

export const unnamed = durable((_event, context) => context.waitForCallback(async () => {}));

export const failure = durable((event, context) => answer(context, event));

export const timeout = durable((event, context) => answer(context, event, { timeout: { seconds: 3 } }));

export const failureCaught = durable(async (event, context) => {
  try {
    return await answer(context, event);
  } catch {
    return "recovered";
  }
});

export const submitterFails = durable((event, context) =>
  context.waitForCallback(event, fail, { retryStrategy: attempts(2) }),
);

export const inChild = durable((event, context) =>
  context.runInChildContext("wrapper", (child) => answer(child, event)),
);

export const sequential = durable(async (_event, context) => {
  await answer(context, "first");
  return answer(context, "second");
});

export const afterWaitAndStep = durable(async (event, context) => {
  await context.wait({ seconds: 1 });
  await context.step(always("prepared"));
  return answer(context, event);
});

export const jsonPayload = durable(async (event, context) => {
  const { status } = await answer(context, event, { serdes: JSON_SERDES });
  return status;
});

export const heartbeatTimeout = durable((event, context) =>
  answer(context, event, { heartbeatTimeout: { seconds: 5 } }),
);

export const heartbeat = durable((event, context) => answer(context, event, { heartbeatTimeout: { seconds: 10 } }));

export const timeoutCaught = durable(async (event, context) => {
  try {
    return await answer(context, event, { timeout: { seconds: 3 } });
  } catch {
    return "timed-out-handled";
  }
});

export const noPayload = durable((event, context) => answer(context, event));
