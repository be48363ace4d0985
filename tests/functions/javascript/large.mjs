// Payloads at and above the limits at which the SDK changes its ways.

import { note } from "./common.mjs";

/** Returns more from a child context than a checkpoint holds: it is replayed instead. */
export async function large_child(event, context) {
  const text = await context.runInChildContext("large", async (child) => {
    const letter = await child.step("letter", async () => {
      await note(event, "runs", "letter");
      return "x";
    });
    return letter.repeat(event.size);
  });
  await context.wait("pause", { seconds: event.seconds });
  return text.length;
}

export const large_result = async (event) => "x".repeat(event.size);

/** Records more than one envelope carries: the SDK fetches the rest of its state. */
export async function many_large_steps(event, context) {
  const letters = "abcdefghijklmnopqrstuvwxyz";
  let sum = 0;
  for (let n = 0; n < event.count; n += 1) {
    const expected = letters[n % 26].repeat(event.size);
    const text = await context.step(`step-${n}`, async () => expected);
    if (text === expected) sum += text.length;
  }
  await context.wait("pause", { seconds: 1 });
  return sum;
}
