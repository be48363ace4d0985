package conformance;

import static conformance.Common.NO_RETRY;
import static conformance.Common.attempts;
import static conformance.Common.fail;
import static conformance.Common.failsUntil;
import static conformance.Common.retrying;
import static conformance.Common.seconds;
import static conformance.Common.step;

import conformance.Common.TextSerDes;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.StepContext;
import software.amazon.lambda.durable.TypeToken;
import software.amazon.lambda.durable.config.StepConfig;
import software.amazon.lambda.durable.config.StepSemantics;
import software.amazon.lambda.durable.retry.RetryDecision;
import software.amazon.lambda.durable.retry.RetryStrategy;

/** Suite {@code step}: one function for each requirement 1-x. */
public final class StepSuite {
    private static final TextSerDes UPPER_CASE = new TextSerDes(
            value -> Common.JSON.serialize(value.toString().toUpperCase()),
            text -> Common.JSON.deserialize(text, TypeToken.get(String.class)));

    private StepSuite() {}

    /** The error that a retry strategy may know. */
    public static final class TransientError extends RuntimeException {
        public TransientError(String message) {
            super(message);
        }
    }

    /** Returns a step that logs its input, and ends its process before this attempt. */
    private static Function<StepContext, String> crashesUntil(int attempt, String event) {
        return step -> {
            step.getLogger().info("input: {}", event);
            if (step.getAttempt() < attempt) {
                System.exit(1);
            }
            return "succeeded on second attempt";
        };
    }

    /** Returns the configuration of a step that is not run again after a crash. */
    private static StepConfig atMostOnce(RetryStrategy strategy) {
        return StepConfig.builder()
                .semanticsPerRetry(StepSemantics.AT_MOST_ONCE_PER_RETRY)
                .retryStrategy(strategy)
                .build();
    }

    /** Returns the configuration of a step that is tried three times after errors of this kind only. */
    private static StepConfig retryingAfter(Class<? extends Throwable> kind) {
        var strategy = attempts(3);
        return retrying((error, attempt) ->
                kind.isInstance(error) ? strategy.makeRetryDecision(error, attempt) : RetryDecision.fail());
    }

    public static final class Greeting extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return step(context, String.class, "Hello, " + event + "!");
        }
    }

    public static final class Named extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.step("custom_step_name", String.class, step -> "Hello, " + event + "!");
        }
    }

    public static final class Sequential extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var first = step(context, String.class, "first");
            return step(context, String.class, first + "_second");
        }
    }

    public static final class ComplexObject extends DurableHandler<Map<String, Object>, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Map<String, Object> event, DurableContext context) {
            var count = ((List<?>) event.get("tags")).size();
            return context.step(null, Common.OBJECT, step -> Map.of("user", event, "count", count));
        }
    }

    public static final class NullResult extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            return step(context, Object.class, null);
        }
    }

    public static final class CustomSerdes extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var config = StepConfig.builder().serDes(UPPER_CASE).build();
            return context.step(null, String.class, step -> event, config);
        }
    }

    public static final class Logging extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.step(null, String.class, step -> {
                step.getLogger().info("Greeting step started for: {}", event);
                step.getLogger().info("Greeting step completed with: Hello, {}!", event);
                return "Hello, " + event + "!";
            });
        }
    }

    public static final class ThenWait extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var value = step(context, String.class, "computed");
            context.wait(null, seconds(2));
            return value;
        }
    }

    public static final class ReplayedSuccess extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var value = context.step(null, String.class, step -> {
                step.getLogger().info("step executed");
                return "cached_value";
            });
            context.wait(null, seconds(1));
            return value;
        }
    }

    public static final class ReplayedFailure extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            try {
                return context.step(null, String.class, step -> fail(), NO_RETRY);
            } catch (IllegalStateException error) {
                context.wait(null, seconds(1));
                return error.getMessage();
            }
        }
    }

    public static final class Retried extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var body = failsUntil(2, "Operation succeeded");
            return context.step(null, String.class, body, retrying(attempts(2)));
        }
    }

    public static final class RetriesExhausted extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.step(null, String.class, step -> fail(), retrying(attempts(4)));
        }
    }

    public static final class DefaultRetries extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var body = failsUntil(3, "third time lucky");
            return context.step(null, String.class, body);
        }
    }

    public static final class Backoff extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var body = failsUntil(3, "third time lucky");
            return context.step(null, String.class, body, retrying(attempts(5, 2, 3)));
        }
    }

    public static final class RetryableError extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var body = failsUntil(2, "done", new TransientError("busy"));
            return context.step(null, String.class, body, retryingAfter(TransientError.class));
        }
    }

    public static final class ErrorNotRetryable extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var body = failsUntil(2, "done", new TransientError("busy"));
            return context.step(null, String.class, body, retryingAfter(IllegalArgumentException.class));
        }
    }

    public static final class CrashNotRetried extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var config = atMostOnce(attempts(1));
            return context.step("at_most_once_flaky_step", String.class, crashesUntil(2, event), config);
        }
    }

    public static final class CrashRetried extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.step(null, String.class, crashesUntil(2, event), atMostOnce(attempts(2)));
        }
    }

    public static final class Failure extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.step(null, String.class, step -> fail(), NO_RETRY);
        }
    }

    public static final class FailureCaught extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            try {
                return context.step(null, String.class, step -> fail(), NO_RETRY);
            } catch (IllegalStateException error) {
                return step(context, String.class, "fallback_result");
            }
        }
    }
}
