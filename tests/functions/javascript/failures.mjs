// Handlers that do nothing, fail, crash, hang or change their mind.

import { firstTime, note } from "./common.mjs";

export const nothing = async () => "done";

export const handler_fails = async () => {
  throw new RangeError("handler broke");
};

export async function nondeterministic(event, context) {
  if (await firstTime(event, "ran")) await context.wait("pause", { seconds: event.seconds });
  return context.step("other", async () => "other");
}

export async function hang_once(event) {
  if (await firstTime(event, "ran")) await new Promise((resolve) => setTimeout(resolve, 60_000));
  return "woke";
}

export async function crash_always(event) {
  await note(event, "runs", "crash");
  process.exit(1);
}
