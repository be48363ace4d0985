// Suite `wait`: one function for each requirement 2-x.

import { durable } from "./common.mjs";

export const basic = durable((_event, context) => context.wait({ seconds: 2 }));

export const named = durable((_event, context) => context.wait("custom_wait_name", { seconds: 2 }));

export const sequential = durable(async (_event, context) => {
  const names = ["wait-1", "wait-2"];
  for (const name of names) await context.wait(name, { seconds: 2 });
  return { completedWaits: names.length };
});

export const minutes = durable((_event, context) => context.wait({ minutes: 1 }));

export const hours = durable((_event, context) => context.wait({ hours: 1 }));
