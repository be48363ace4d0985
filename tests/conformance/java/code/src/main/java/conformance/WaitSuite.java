package conformance;

import static conformance.Common.seconds;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;

/** Suite {@code wait}: one function for each requirement 2-x. */
public final class WaitSuite {
    private WaitSuite() {}

    public static final class Basic extends DurableHandler<Object, Void> {
        @Override
        public Void handleRequest(Object event, DurableContext context) {
            return context.wait(null, seconds(2));
        }
    }

    public static final class Named extends DurableHandler<Object, Void> {
        @Override
        public Void handleRequest(Object event, DurableContext context) {
            return context.wait("custom_wait_name", seconds(2));
        }
    }

    public static final class Sequential extends DurableHandler<Object, Map<String, Integer>> {
        @Override
        public Map<String, Integer> handleRequest(Object event, DurableContext context) {
            var names = List.of("wait-1", "wait-2");
            names.forEach(name -> context.wait(name, seconds(2)));
            return Map.of("completedWaits", names.size());
        }
    }

    public static final class Minutes extends DurableHandler<Object, Void> {
        @Override
        public Void handleRequest(Object event, DurableContext context) {
            return context.wait(null, Duration.ofMinutes(1));
        }
    }

    public static final class Hours extends DurableHandler<Object, Void> {
        @Override
        public Void handleRequest(Object event, DurableContext context) {
            return context.wait(null, Duration.ofHours(1));
        }
    }
}
