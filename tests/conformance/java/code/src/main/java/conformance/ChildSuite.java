package conformance;

import static conformance.Common.NO_RETRY;
import static conformance.Common.attempts;
import static conformance.Common.fail;
import static conformance.Common.failsUntil;
import static conformance.Common.retrying;
import static conformance.Common.seconds;
import static conformance.Common.step;

import conformance.Common.TextSerDes;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.ReturnValue;
import software.amazon.lambda.durable.DurableConfig;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.StepContext;
import software.amazon.lambda.durable.config.RunInChildContextConfig;
import software.amazon.lambda.durable.logging.LoggerConfig;

/** Suite {@code child}: one function for each requirement 3-x. */
public final class ChildSuite {
    private static final int MORE_THAN_A_CHECKPOINT_HOLDS = 300 * 1024;
    private static final TextSerDes UPPER_CASE =
            new TextSerDes(value -> value.toString().toUpperCase(), text -> text);

    private ChildSuite() {}

    /** Makes the body of a child context fail by its step. */
    private static String failing(DurableContext child) {
        return child.step(null, String.class, step -> fail(), NO_RETRY);
    }

    /** Gives a value by a step, and waits. */
    private static String stepAndWait(DurableContext context, String value) {
        var result = step(context, String.class, value);
        context.wait(null, seconds(1));
        return result;
    }

    /** Counts in DynamoDB, which outlives the process, how often this is called in one execution. */
    private static int executionsOf(DurableContext context) {
        try (var client = DynamoDbClient.create()) {
            var answer = client.updateItem(update -> update.tableName(System.getenv("TABLE_NAME"))
                    .key(Map.of("executionId", AttributeValue.fromS(context.getExecutionArn())))
                    .updateExpression("ADD attemptCount :one")
                    .expressionAttributeValues(Map.of(":one", AttributeValue.fromN("1")))
                    .returnValues(ReturnValue.UPDATED_NEW));
            return Integer.parseInt(answer.attributes().get("attemptCount").n());
        }
    }

    /** A handler that logs even while its contexts are replayed. */
    private abstract static class LoggingReplays<I, O> extends DurableHandler<I, O> {
        @Override
        protected DurableConfig createConfiguration() {
            return DurableConfig.builder()
                    .withLoggerConfig(LoggerConfig.withReplayLogging())
                    .build();
        }
    }

    public static final class Basic extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.runInChildContext(null, String.class, child -> step(child, String.class, event));
        }
    }

    public static final class Named extends DurableHandler<Map<String, String>, String> {
        @Override
        public String handleRequest(Map<String, String> event, DurableContext context) {
            return context.runInChildContext(
                    event.get("name"), String.class, child -> step(child, String.class, event.get("value")));
        }
    }

    public static final class Sequential extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.runInChildContext("sequential", String.class, child -> {
                var first = step(child, String.class, event);
                return step(child, String.class, first);
            });
        }
    }

    public static final class Failure extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.runInChildContext("failing", String.class, ChildSuite::failing);
        }
    }

    public static final class FailureCaught extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            try {
                return context.runInChildContext("failing", String.class, ChildSuite::failing);
            } catch (IllegalStateException error) {
                return context.step("recovery", String.class, step -> event);
            }
        }
    }

    public static final class Nested extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.runInChildContext("outer", String.class, outer -> {
                var value = step(outer, String.class, event);
                return outer.runInChildContext("inner", String.class, inner -> step(inner, String.class, value));
            });
        }
    }

    public static final class StepRetried extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.runInChildContext(
                    "retrying",
                    String.class,
                    child -> child.step(null, String.class, failsUntil(2, event), retrying(attempts(2))));
        }
    }

    public static final class RetriesExhausted extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.runInChildContext(
                    "retrying",
                    String.class,
                    child -> child.step(null, String.class, step -> fail(), retrying(attempts(2))));
        }
    }

    public static final class Replayed extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var value = context.runInChildContext(null, String.class, child -> step(child, String.class, event));
            context.wait(null, seconds(1));
            return value;
        }
    }

    public static final class StepAndWait extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.runInChildContext("mixed", String.class, child -> stepAndWait(child, event));
        }
    }

    public static final class LargeResult extends LoggingReplays<String, Integer> {
        @Override
        public Integer handleRequest(String event, DurableContext context) {
            var value = context.runInChildContext("large", String.class, child -> {
                child.getLogger().info("the child runs with {}", event);
                return step(child, String.class, "x").repeat(MORE_THAN_A_CHECKPOINT_HOLDS);
            });
            context.wait(null, seconds(1));
            return value.length();
        }
    }

    public static final class Interrupted extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            Function<StepContext, String> crashesOnce = step -> {
                if (executionsOf(context) == 1) {
                    // So that the checkpoint of the start is out.
                    LockSupport.parkNanos(seconds(1).toNanos());
                    System.exit(1);
                }
                return event;
            };
            return context.runInChildContext(
                    "interrupted", String.class, child -> child.step(null, String.class, crashesOnce));
        }
    }

    public static final class WaitInside extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var value = context.runInChildContext("waiting", String.class, child -> {
                child.wait(null, seconds(1));
                return event;
            });
            return step(context, String.class, value);
        }
    }

    public static final class CustomSerdes extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var config = RunInChildContextConfig.builder().serDes(UPPER_CASE).build();
            return context.runInChildContext(
                    "upper-case", String.class, child -> step(child, String.class, event), config);
        }
    }

    public static final class FailureWithoutStep extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.runInChildContext("failing", String.class, child -> fail());
        }
    }

    public static final class NullResult extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.runInChildContext("nothing", String.class, child -> null);
        }
    }

    public static final class LoggingOnly extends LoggingReplays<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var value = context.runInChildContext("logging", String.class, child -> {
                child.getLogger().info("the child runs with {}", event);
                return event;
            });
            context.wait(null, seconds(1));
            return value;
        }
    }

    public static final class StepAndWaitTwice extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var value = context.runInChildContext("mixed", String.class, child -> stepAndWait(child, event));
            return stepAndWait(context, value);
        }
    }
}
