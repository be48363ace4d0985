// Takes an order: reserve, charge, ship. If one of them fails, what was done before is undone, the last thing first.

import { type DurableContext, InvokeError, withDurableExecution } from "@aws/durable-execution-sdk-js";

interface Order {
  id: string;
  items: string[];
  card: string;
  address: string;
}

interface Undo {
  action: "release" | "refund";
  subject: object;
}

/** Takes an order. */
export const handler = withDurableExecution(async (order: Order, context: DurableContext) => {
  const shop = <Answer extends object>(action: string, subject: object) =>
    context.invoke<object, Answer>(action, process.env.SHOP!, { action, ...subject });

  const undo: Undo[] = [];
  try {
    const reservation = await shop<{ amount: number }>("reserve", { items: order.items });
    undo.unshift({ action: "release", subject: reservation });
    const payment = await shop("charge", { card: order.card, amount: reservation.amount });
    undo.unshift({ action: "refund", subject: payment });
    const { parcel } = await shop<{ parcel: string }>("ship", { address: order.address });
    return { id: order.id, status: "SHIPPED", parcel };
  } catch (error) {
    if (!(error instanceof InvokeError)) {
      throw error;
    }
    for (const { action, subject } of undo) {
      await shop(action, subject);
    }
    context.logger.warn(`order ${order.id} was cancelled: ${error.message}`);
    return { id: order.id, status: "CANCELLED", undone: undo.map(({ action }) => action) };
  }
});
