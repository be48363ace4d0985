// Waits: timers that end later, while nothing runs.

export async function wait(event, context) {
  await context.wait("pause", { seconds: event.seconds });
  return "rested";
}

export async function step_wait_step(event, context) {
  const before = await context.step("before", async () => "before");
  await context.wait("pause", { seconds: event.seconds });
  return [before, await context.step("after", async () => "after")];
}

export async function two_waits(event, context) {
  const branch = (seconds) => (child) => child.wait(`pause-${seconds}`, { seconds });
  await context.parallel("both", event.seconds.map(branch));
  return "rested twice";
}
