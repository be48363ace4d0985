// Chained invokes: functions that call functions.

export const invoke = (event, context) => context.invoke("call", event.target, event.payload);

export async function invoke_caught(event, context) {
  try {
    await context.invoke("call", event.target, event.payload);
  } catch (error) {
    return `caught ${error.message}`;
  }
  return "not caught";
}

/** The target: sleeps first, so that the caller is suspended when the result comes. */
export async function target(event, context) {
  await context.wait("pause", { seconds: 2 });
  if (event.error !== undefined) throw new RangeError(event.error);
  return event.value;
}

export const endless_target = (_event, context) => context.wait("pause", { hours: 1 });
