// Decides on an expense: small ones by itself, others by a person, who may take a week.

import { CallbackTimeoutError, type DurableContext, withDurableExecution } from "@aws/durable-execution-sdk-js";

interface Expense {
  id: string;
  amount: number;
}

interface Decision {
  approved: boolean;
  by: string;
}

const FREE_LIMIT = 100;

/** Decides on an expense. */
export const handler = withDurableExecution(async (expense: Expense, context: DurableContext) => {
  const book = (by: string) => context.step("book", async () => ({ id: expense.id, status: "BOOKED", by }));

  if (expense.amount <= FREE_LIMIT) {
    return book("the rules");
  }
  let answer: string;
  try {
    answer = await context.waitForCallback("approval", (callbackId) => tell(expense, callbackId), {
      timeout: { days: 7 },
    });
  } catch (error) {
    if (error instanceof CallbackTimeoutError) {
      return { id: expense.id, status: "EXPIRED" };
    }
    throw error;
  }
  const { approved, by } = JSON.parse(answer) as Decision;
  return approved ? book(by) : { id: expense.id, status: "REJECTED", by };
});

/** Tells whoever decides: the log, and a web hook if one is set. */
async function tell(expense: Expense, callbackId: string): Promise<void> {
  const message = JSON.stringify({ expense, callbackId });
  console.log(message);
  if (process.env.NOTIFY_URL) {
    const headers = { "content-type": "application/json" };
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(process.env.NOTIFY_URL, { method: "POST", headers, body: message, signal });
    if (!answer.ok) throw new Error(`the web hook answered ${answer.status}`);
  }
}
