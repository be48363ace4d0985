// Writes a report every day for as long as it is told to: each day it starts an export, polls it, and sleeps.

import { createWaitStrategy, type DurableContext, withDurableExecution } from "@aws/durable-execution-sdk-js";

interface Export {
  day: number;
  polls: number;
  ready: boolean;
}

const POLLS_OF_AN_EXPORT = 3;

const untilReady = createWaitStrategy<Export>({
  shouldContinuePolling: ({ ready }) => !ready,
  initialDelay: { minutes: 1 },
});

/** Writes a report on each of so many `days`. */
export const handler = withDurableExecution(async ({ days }: { days: number }, context: DurableContext) => {
  const reports: string[] = [];
  for (let day = 0; day < days; day++) {
    reports.push(await context.runInChildContext(`day-${day}`, (child) => report(child, day)));
    await context.wait(`night-${day}`, { days: 1 });
  }
  return reports;
});

/** Writes the report of a day. */
async function report(context: DurableContext, day: number): Promise<string> {
  const initialState = await context.step("start_export", async () => startExport(day));
  const { polls } = await context.waitForCondition("export", async (state) => lookAt(state), {
    waitStrategy: untilReady,
    initialState,
  });
  return context.step("write", async () => `day ${day}: ready after ${polls} polls`);
}

/** Starts the export of a day. A real one would call a warehouse. */
function startExport(day: number): Export {
  return { day, polls: 0, ready: false };
}

/** Looks how far the export is. */
function lookAt(state: Export): Export {
  const polls = state.polls + 1;
  return { ...state, polls, ready: polls >= POLLS_OF_AN_EXPORT };
}
