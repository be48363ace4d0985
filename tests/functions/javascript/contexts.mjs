// Child contexts, map and parallel.

const letter = (text) => (context) => context.step(`step-${text}`, async () => text);

export const child = (_event, context) => context.runInChildContext("outer", letter("a"));

export const child_nested = (_event, context) =>
  context.runInChildContext("outer", async (one) => `${await one.runInChildContext("inner", letter("a"))}b`);

export const child_fails = (_event, context) =>
  context.runInChildContext("outer", async () => {
    throw new RangeError("child broke");
  });

export const child_virtual = (_event, context) =>
  context.runInChildContext("outer", async () => "unrecorded", { virtualContext: true });

export async function map_items(event, context) {
  const double = (child, item, index) => child.step(`double-${index}`, async () => item * 2);
  return (await context.map("doubles", event.items, double, { maxConcurrency: 1 })).getResults();
}

export async function parallel(event, context) {
  const first = (child) => child.step("work", async () => "b0");
  const second = async (child) => {
    await child.wait("pause", { seconds: event.seconds });
    return "b1";
  };
  return (await context.parallel("both", [first, second], { maxConcurrency: 1 })).getResults();
}

export async function parallel_tolerant(_event, context) {
  const broken = async () => {
    throw new RangeError("branch broke");
  };
  const result = await context.parallel("both", [broken, letter("a")], {
    maxConcurrency: 1,
    completionConfig: { toleratedFailureCount: 1 },
  });
  return [result.successCount, result.failureCount];
}
