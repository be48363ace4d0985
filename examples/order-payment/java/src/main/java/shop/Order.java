package shop;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.TypeToken;
import software.amazon.lambda.durable.exception.InvokeException;

/** Takes an order: reserve, charge, ship. If one fails, what was done before is undone, the last thing first. */
public final class Order extends DurableHandler<Order.Input, Order.Outcome> {
    public record Input(String id, List<String> items, String card, String address) {}

    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Outcome(String id, Status status, String parcel, List<String> undone) {}

    public enum Status {
        SHIPPED,
        CANCELLED
    }

    private record Undo(String action, Map<String, Object> subject) {}

    private static final String SHOP = System.getenv("SHOP");
    private static final TypeToken<Map<String, Object>> OBJECT = new TypeToken<>() {};

    @Override
    public Outcome handleRequest(Input order, DurableContext context) {
        var undo = new ArrayDeque<Undo>();
        try {
            var reservation = shop(context, "reserve", Map.of("items", order.items()));
            undo.push(new Undo("release", reservation));
            var payment = shop(context, "charge", Map.of("card", order.card(), "amount", reservation.get("amount")));
            undo.push(new Undo("refund", payment));
            var shipment = shop(context, "ship", Map.of("address", order.address()));
            return new Outcome(order.id(), Status.SHIPPED, (String) shipment.get("parcel"), null);
        } catch (InvokeException error) {
            undo.forEach(last -> shop(context, last.action(), last.subject()));
            return new Outcome(order.id(), Status.CANCELLED, null, undo.stream().map(Undo::action).toList());
        }
    }

    /** Lets the shop act on a subject; returns its answer. */
    private static Map<String, Object> shop(DurableContext context, String action, Map<String, Object> subject) {
        var event = new LinkedHashMap<>(subject);
        event.put("action", action);
        return context.invoke(action, SHOP, event, OBJECT);
    }
}
