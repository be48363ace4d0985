// Stands in for the services of a shop: an ordinary function that knows nothing of durable executions.

type Event =
  | { action: "reserve"; items: string[] }
  | { action: "charge"; card: string; amount: number }
  | { action: "ship"; address: string }
  | { action: "release" | "refund" };

const PRICE = 25;

/** Does what `action` says. */
export const handler = async (event: Event): Promise<object> => {
  switch (event.action) {
    case "reserve":
      return { reservation: "r-1", amount: PRICE * event.items.length };
    case "charge":
      if (event.card.endsWith("0000")) {
        throw new Error(`the card was declined for ${event.amount}`);
      }
      return { payment: "p-1" };
    case "ship":
      if (event.address === "") {
        throw new Error("there is no address");
      }
      return { parcel: "t-1" };
    case "release":
    case "refund":
      return {};
  }
};
