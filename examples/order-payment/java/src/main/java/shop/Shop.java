package shop;

import java.util.List;
import java.util.Map;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;

/**
 * Stands in for the services of a shop.
 *
 * <p>It is durable itself only because the SDK (2.2.0) cannot read the stack trace of an ordinary function that failed,
 * and its caller would get another exception than {@code InvokeException}.
 */
public final class Shop extends DurableHandler<Shop.Request, Map<String, Object>> {
    public record Request(String action, List<String> items, String card, int amount, String address) {}

    private static final int PRICE = 25;

    /** Does what {@code action} says. */
    @Override
    public Map<String, Object> handleRequest(Request request, DurableContext context) {
        return switch (request.action()) {
            case "reserve" -> Map.of("reservation", "r-1", "amount", PRICE * request.items().size());
            case "charge" -> charge(request);
            case "ship" -> ship(request);
            case "release", "refund" -> Map.of();
            default -> throw new IllegalArgumentException("unknown action " + request.action());
        };
    }

    private static Map<String, Object> charge(Request request) {
        if (request.card().endsWith("0000")) {
            throw new IllegalStateException("the card was declined for " + request.amount());
        }
        return Map.of("payment", "p-1");
    }

    private static Map<String, Object> ship(Request request) {
        if (request.address().isEmpty()) {
            throw new IllegalStateException("there is no address");
        }
        return Map.of("parcel", "t-1");
    }
}
