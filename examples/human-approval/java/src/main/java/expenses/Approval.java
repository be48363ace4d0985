package expenses;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.config.CallbackConfig;
import software.amazon.lambda.durable.config.WaitForCallbackConfig;
import software.amazon.lambda.durable.exception.CallbackTimeoutException;
import software.amazon.lambda.durable.serde.JacksonSerDes;

/** Decides on an expense: small ones by itself, others by a person, who may take a week. */
public final class Approval extends DurableHandler<Approval.Expense, Approval.Outcome> {
    public record Expense(String id, BigDecimal amount) {}

    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Outcome(String id, Status status, String by) {}

    public enum Status {
        BOOKED,
        REJECTED,
        EXPIRED
    }

    private record Decision(boolean approved, String by) {}

    private record Message(Expense expense, String callbackId) {}

    private static final BigDecimal FREE_LIMIT = BigDecimal.valueOf(100);
    private static final WaitForCallbackConfig PATIENCE = WaitForCallbackConfig.builder()
            .callbackConfig(CallbackConfig.builder().timeout(Duration.ofDays(7)).build())
            .build();

    private final HttpClient http = HttpClient.newHttpClient();

    @Override
    public Outcome handleRequest(Expense expense, DurableContext context) {
        if (expense.amount().compareTo(FREE_LIMIT) <= 0) {
            return book(context, expense, "the rules");
        }
        Decision decision;
        try {
            decision = context.waitForCallback(
                    "approval", Decision.class, (callbackId, step) -> tell(expense, callbackId), PATIENCE);
        } catch (CallbackTimeoutException late) {
            return new Outcome(expense.id(), Status.EXPIRED, null);
        }
        return decision.approved()
                ? book(context, expense, decision.by())
                : new Outcome(expense.id(), Status.REJECTED, decision.by());
    }

    /** Books the expense. */
    private static Outcome book(DurableContext context, Expense expense, String by) {
        return context.step("book", Outcome.class, step -> new Outcome(expense.id(), Status.BOOKED, by));
    }

    /** Tells whoever decides: the log, and a web hook if one is set. */
    private void tell(Expense expense, String callbackId) {
        var message = new JacksonSerDes().serialize(new Message(expense, callbackId));
        System.out.println(message);
        var url = System.getenv("NOTIFY_URL");
        if (url != null && !url.isEmpty()) {
            var request = HttpRequest.newBuilder(URI.create(url))
                    .header("Content-Type", "application/json")
                    .timeout(Duration.ofSeconds(10))
                    .POST(BodyPublishers.ofString(message))
                    .build();
            var status = http.sendAsync(request, BodyHandlers.discarding()).join().statusCode();
            if (status >= 300) {
                throw new IllegalStateException("the web hook answered " + status);
            }
        }
    }
}
