// Suite `callback`: one function for each requirement 4-x. The input is the callback's name, or their names.

import { always, durable, textSerdes } from "./common.mjs";

// A message whose moment is to be in seconds.
const MESSAGE = textSerdes(JSON.stringify, (text) => {
  const message = JSON.parse(text);
  return { ...message, timestamp: Date.parse(message.timestamp) / 1000 };
});
const NUMBER = textSerdes(String, Number);

/** Creates a callback and waits for its result. */
async function result(context, name, config) {
  const [promise] = await context.createCallback(name, config);
  return promise;
}

/** Returns the result of a callback, or the message of its error. */
async function resultOrError(context, name, config) {
  try {
    return await result(context, name, config);
  } catch (error) {
    return error.message;
  }
}

/** Creates two callbacks before it waits for any. */
async function two(context, names) {
  const [first] = await context.createCallback(names[0]);
  const [second] = await context.createCallback(names[1]);
  return [first, second];
}

export const basic = durable((event, context) => result(context, event));

export const named = durable((_event, context) => result(context, "approval"));

export const timeout = durable((event, context) => result(context, event, { timeout: { seconds: 5 } }));

export const heartbeatTimeout = durable((event, context) =>
  result(context, event, { heartbeatTimeout: { seconds: 5 } }),
);

export const heartbeat = durable((event, context) => result(context, event, { heartbeatTimeout: { seconds: 10 } }));

export const failure = durable((event, context) => result(context, event));

export const stepThenFailure = durable(async (event, context) => {
  const [promise] = await context.createCallback(event);
  await context.step(always("asked"));
  return promise;
});

export const stepThenTimeout = durable(async (event, context) => {
  const [promise] = await context.createCallback(event, { timeout: { seconds: 5 } });
  await context.step(always("asked"));
  return promise;
});

export const successDuringWait = durable(async (event, context) => {
  const [promise] = await context.createCallback(event);
  await context.wait({ seconds: 5 });
  return promise;
});

export const failureDuringWait = durable(async (event, context) => {
  const [promise] = await context.createCallback(event);
  await context.wait({ seconds: 5 });
  return promise;
});

export const timeoutDuringWait = durable(async (event, context) => {
  const [promise] = await context.createCallback(event, { timeout: { seconds: 3 } });
  await context.wait({ seconds: 6 });
  return promise;
});

export const successThenWait = durable(async (event, context) => {
  const value = await result(context, event);
  await context.wait({ seconds: 2 });
  return value;
});

export const failureThenWait = durable(async (event, context) => {
  const value = await resultOrError(context, event);
  await context.wait({ seconds: 2 });
  return value;
});

export const timeoutThenWait = durable(async (event, context) => {
  const value = await resultOrError(context, event, { timeout: { seconds: 3 } });
  await context.wait({ seconds: 2 });
  return value;
});

export const messageSerdes = durable(async (event, context) => ({
  received: await result(context, event, { serdes: MESSAGE }),
}));

export const numberSerdes = durable(async (event, context) => {
  const count = await result(context, event, { serdes: NUMBER });
  return { count, doubled: count * 2 };
});

export const twoInTurn = durable(async (event, context) => [
  await result(context, event[0]),
  await result(context, event[1]),
]);

export const twoAtOnce = durable(async (event, context) => {
  const [first, second] = await two(context, event);
  return [await first, await second];
});

export const twoAtOnceReversed = durable(async (event, context) => {
  const [first, second] = await two(context, event);
  return [await second, await first];
});
