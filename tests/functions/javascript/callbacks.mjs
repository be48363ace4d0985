// Callbacks: results that somebody else sends.

import { attempts, note } from "./common.mjs";

async function approval(context, config) {
  const [result] = await context.createCallback("approval", config);
  return await result;
}

export const callback = (_event, context) => approval(context);

export const callback_timeout = (event, context) => approval(context, { timeout: { seconds: event.seconds } });

export const callback_heartbeat = (event, context) =>
  approval(context, { timeout: { seconds: event.timeout }, heartbeatTimeout: { seconds: event.heartbeat } });

export async function callback_and_wait(event, context) {
  const [result] = await context.createCallback("approval", { timeout: { seconds: event.timeout } });
  await context.wait("pause", { seconds: event.seconds });
  return await result;
}

export async function two_callbacks(_event, context) {
  const [one] = await context.createCallback("one");
  const [two] = await context.createCallback("two");
  return [await one, await two];
}

export const wait_for_callback = (event, context) =>
  context.waitForCallback("approval", async (id) => note(event, "submitted", id));

export const submitter_fails = (_event, context) =>
  context.waitForCallback(
    "approval",
    async () => {
      throw new RangeError("nobody listens");
    },
    { retryStrategy: attempts(2) },
  );
