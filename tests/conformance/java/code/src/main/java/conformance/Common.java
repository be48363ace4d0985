package conformance;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.StepContext;
import software.amazon.lambda.durable.TypeToken;
import software.amazon.lambda.durable.config.StepConfig;
import software.amazon.lambda.durable.model.ConcurrencyCompletionStatus;
import software.amazon.lambda.durable.retry.JitterStrategy;
import software.amazon.lambda.durable.retry.RetryStrategies;
import software.amazon.lambda.durable.retry.RetryStrategy;
import software.amazon.lambda.durable.serde.JacksonSerDes;
import software.amazon.lambda.durable.serde.SerDes;

/** What the handlers share: types, retries, serializers, and an error to fail with. */
final class Common {
    static final TypeToken<Map<String, Object>> OBJECT = new TypeToken<>() {};
    static final JacksonSerDes JSON = new JacksonSerDes();
    static final StepConfig NO_RETRY = retrying(attempts(1));

    static final List<String> COUNTS = List.of("completionReason", "successCount", "failureCount", "totalCount");
    static final List<String> OUTCOME =
            List.of("completionReason", "status", "successCount", "failureCount", "totalCount");

    private Common() {}

    /** Returns a duration of whole seconds. */
    static Duration seconds(int value) {
        return Duration.ofSeconds(value);
    }

    /** Returns a strategy that tries so many times, a second apart. */
    static RetryStrategy attempts(int count) {
        return attempts(count, 1, 1);
    }

    /** Returns a strategy that tries so many times, without jitter. */
    static RetryStrategy attempts(int count, int delaySeconds, double backoffRate) {
        return RetryStrategies.exponentialBackoff(
                count, seconds(delaySeconds), seconds(60), backoffRate, JitterStrategy.NONE);
    }

    /** Returns the configuration of a step that is retried so. */
    static StepConfig retrying(RetryStrategy strategy) {
        return StepConfig.builder().retryStrategy(strategy).build();
    }

    /** Fails, as a step, a branch, an item, a submitter or a check. */
    static <T> T fail() {
        throw new IllegalStateException("this always fails");
    }

    /** Returns a step that succeeds at this attempt, and fails before it. */
    static Function<StepContext, String> failsUntil(int attempt, String value) {
        return failsUntil(attempt, value, new IllegalStateException("not yet"));
    }

    /** Returns a step that succeeds at this attempt, and fails before it with this error. */
    static Function<StepContext, String> failsUntil(int attempt, String value, RuntimeException error) {
        return step -> {
            if (step.getAttempt() < attempt) {
                throw error;
            }
            return value;
        };
    }

    /** Gives a value by a step without a name. */
    static <T> T step(DurableContext context, Class<T> type, T value) {
        return context.step(null, type, step -> value);
    }

    /** Returns what a map or parallel operation says about itself. What it did not start does not count. */
    static Map<String, Object> facts(
            ConcurrencyCompletionStatus reason, int succeeded, int failed, List<String> names) {
        Map<String, Object> facts = new HashMap<>();
        facts.put("completionReason", reason.name());
        facts.put("status", failed == 0 ? "SUCCEEDED" : "FAILED");
        facts.put("successCount", succeeded);
        facts.put("failureCount", failed);
        facts.put("totalCount", succeeded + failed);
        facts.keySet().retainAll(names);
        return facts;
    }

    /** Writes and reads values with two functions. */
    record TextSerDes(Function<Object, String> write, Function<String, Object> read) implements SerDes {
        @Override
        public String serialize(Object value) {
            return write.apply(value);
        }

        @Override
        @SuppressWarnings("unchecked")
        public <T> T deserialize(String text, TypeToken<T> type) {
            return (T) read.apply(text);
        }
    }
}
