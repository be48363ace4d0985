package conformance;

import static conformance.Common.fail;
import static conformance.Common.seconds;
import static conformance.Common.step;
import static software.amazon.lambda.durable.model.WaitForConditionResult.continuePolling;
import static software.amazon.lambda.durable.model.WaitForConditionResult.stopPolling;

import conformance.Common.TextSerDes;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.config.WaitForConditionConfig;
import software.amazon.lambda.durable.retry.WaitStrategies;

/** Suite {@code wait_for_condition}: one function for each requirement 6-x. */
public final class WaitForConditionSuite {
    private static final TextSerDes TAGGED =
            new TextSerDes(value -> "state:" + value, text -> text.substring("state:".length()));

    private WaitForConditionSuite() {}

    /** What is polled in requirement 6-9. */
    public record Job(String status, int attempts) {}

    /** Returns the configuration that polls from a state, at most 60 times, a second apart. */
    private static <T> WaitForConditionConfig.Builder<T> from(T initial) {
        return from(initial, 60, 1);
    }

    private static <T> WaitForConditionConfig.Builder<T> from(T initial, int attempts, int delaySeconds) {
        return WaitForConditionConfig.<T>builder()
                .initialState(initial)
                .waitStrategy(WaitStrategies.fixedDelay(attempts, seconds(delaySeconds)));
    }

    /** Goes to the next state with each poll, until one is reached that is wanted. */
    private static <T> T poll(
            DurableContext context,
            String name,
            Class<T> type,
            WaitForConditionConfig.Builder<T> config,
            UnaryOperator<T> next,
            Predicate<T> wanted) {
        return context.waitForCondition(
                name,
                type,
                (state, step) -> {
                    var reached = next.apply(state);
                    return wanted.test(reached) ? stopPolling(reached) : continuePolling(reached);
                },
                config.build());
    }

    /** Counts one up with each poll, until the threshold is reached. */
    private static int count(DurableContext context, int initial, int threshold) {
        return count(context, null, from(initial), threshold);
    }

    private static int count(
            DurableContext context, String name, WaitForConditionConfig.Builder<Integer> config, int threshold) {
        return poll(context, name, Integer.class, config, state -> state + 1, state -> state >= threshold);
    }

    public static final class Basic extends DurableHandler<Integer, Integer> {
        @Override
        public Integer handleRequest(Integer event, DurableContext context) {
            return count(context, 0, event);
        }
    }

    public static final class Immediate extends DurableHandler<Integer, Integer> {
        @Override
        public Integer handleRequest(Integer event, DurableContext context) {
            return poll(context, null, Integer.class, from(event), state -> state, state -> state >= event);
        }
    }

    public static final class Named extends DurableHandler<Integer, Integer> {
        @Override
        public Integer handleRequest(Integer event, DurableContext context) {
            return count(context, "poll-status", from(0), event);
        }
    }

    public static final class InitialState extends DurableHandler<Integer, Integer> {
        @Override
        public Integer handleRequest(Integer event, DurableContext context) {
            return count(context, 5, event);
        }
    }

    public static final class FixedDelay extends DurableHandler<Integer, Integer> {
        @Override
        public Integer handleRequest(Integer event, DurableContext context) {
            return count(context, null, from(0, 60, 2), event);
        }
    }

    public static final class AttemptsExhausted extends DurableHandler<Object, Integer> {
        @Override
        public Integer handleRequest(Object event, DurableContext context) {
            return count(context, null, from(0, 3, 1), 1000);
        }
    }

    public static final class CheckFails extends DurableHandler<Object, Integer> {
        @Override
        public Integer handleRequest(Object event, DurableContext context) {
            return context.waitForCondition(null, Integer.class, (state, step) -> fail(), from(0).build());
        }
    }

    public static final class FailureCaught extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            try {
                return context.waitForCondition(null, String.class, (state, step) -> fail(), from("").build());
            } catch (IllegalStateException error) {
                return "recovered";
            }
        }
    }

    public static final class ComplexObject extends DurableHandler<Object, Job> {
        private static Job next(Job job) {
            var attempts = job.attempts() + 1;
            return new Job(attempts == 2 ? "DONE" : "PENDING", attempts);
        }

        @Override
        public Job handleRequest(Object event, DurableContext context) {
            var first = from(new Job("PENDING", 0));
            return poll(context, null, Job.class, first, ComplexObject::next, job -> job.status().equals("DONE"));
        }
    }

    public static final class NullState extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            return context.waitForCondition(null, Object.class, (state, step) -> stopPolling(null));
        }
    }

    public static final class CustomSerdes extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var config = from("").serDes(TAGGED);
            return poll(context, null, String.class, config, state -> state + "x", state -> state.length() == 2);
        }
    }

    public static final class ThenStep extends DurableHandler<Integer, Integer> {
        @Override
        public Integer handleRequest(Integer event, DurableContext context) {
            var state = count(context, 0, event);
            return step(context, Integer.class, state * 10);
        }
    }

    public static final class Sequential extends DurableHandler<Object, Integer> {
        @Override
        public Integer handleRequest(Object event, DurableContext context) {
            return count(context, count(context, 0, 2), 4);
        }
    }
}
