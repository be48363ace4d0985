package conformance;

import static conformance.Common.seconds;
import static conformance.Common.step;

import conformance.Common.TextSerDes;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import software.amazon.lambda.durable.DurableCallbackFuture;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.config.CallbackConfig;
import software.amazon.lambda.durable.exception.CallbackException;

/** Suite {@code callback}: one function for each requirement 4-x. The input is the callback's name, or their names. */
public final class CallbackSuite {
    private static final TextSerDes MESSAGE = new TextSerDes(Common.JSON::serialize, CallbackSuite::withTimestamp);
    private static final TextSerDes NUMBER = new TextSerDes(Object::toString, Integer::valueOf);

    private CallbackSuite() {}

    /** Reads a message whose moment is to be in seconds. */
    private static Map<String, Object> withTimestamp(String text) {
        var message = Common.JSON.deserialize(text, Common.OBJECT);
        message.compute("timestamp", (key, moment) -> Instant.parse(moment.toString()).getEpochSecond());
        return message;
    }

    /** Returns the configuration of a callback that has so much time. */
    private static CallbackConfig expiring(int timeoutSeconds) {
        return CallbackConfig.builder().timeout(seconds(timeoutSeconds)).build();
    }

    /** Returns the configuration of a callback that must give signs of life so often. */
    private static CallbackConfig beating(int heartbeatTimeoutSeconds) {
        return CallbackConfig.builder()
                .heartbeatTimeout(seconds(heartbeatTimeoutSeconds))
                .build();
    }

    private static DurableCallbackFuture<String> create(DurableContext context, String name) {
        return context.createCallback(name, String.class);
    }

    private static DurableCallbackFuture<String> create(DurableContext context, String name, CallbackConfig config) {
        return context.createCallback(name, String.class, config);
    }

    /** Returns the result of a callback, or the message of its error. */
    private static String resultOrError(DurableCallbackFuture<String> callback) {
        try {
            return callback.get();
        } catch (CallbackException error) {
            return error.getMessage();
        }
    }

    public static final class Basic extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return create(context, event).get();
        }
    }

    public static final class Named extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return create(context, "approval").get();
        }
    }

    public static final class Timeout extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return create(context, event, expiring(5)).get();
        }
    }

    public static final class HeartbeatTimeout extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return create(context, event, beating(5)).get();
        }
    }

    public static final class Heartbeat extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return create(context, event, beating(10)).get();
        }
    }

    public static final class Failure extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return create(context, event).get();
        }
    }

    public static final class StepThenFailure extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var callback = create(context, event);
            step(context, String.class, "asked");
            return callback.get();
        }
    }

    public static final class StepThenTimeout extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var callback = create(context, event, expiring(5));
            step(context, String.class, "asked");
            return callback.get();
        }
    }

    public static final class SuccessDuringWait extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var callback = create(context, event);
            context.wait(null, seconds(5));
            return callback.get();
        }
    }

    public static final class FailureDuringWait extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var callback = create(context, event);
            context.wait(null, seconds(5));
            return callback.get();
        }
    }

    public static final class TimeoutDuringWait extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var callback = create(context, event, expiring(3));
            context.wait(null, seconds(6));
            return callback.get();
        }
    }

    public static final class SuccessThenWait extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var result = create(context, event).get();
            context.wait(null, seconds(2));
            return result;
        }
    }

    public static final class FailureThenWait extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var result = resultOrError(create(context, event));
            context.wait(null, seconds(2));
            return result;
        }
    }

    public static final class TimeoutThenWait extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var result = resultOrError(create(context, event, expiring(3)));
            context.wait(null, seconds(2));
            return result;
        }
    }

    public static final class MessageSerdes extends DurableHandler<String, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(String event, DurableContext context) {
            var config = CallbackConfig.builder().serDes(MESSAGE).build();
            return Map.of("received", context.createCallback(event, Common.OBJECT, config).get());
        }
    }

    public static final class NumberSerdes extends DurableHandler<String, Map<String, Integer>> {
        @Override
        public Map<String, Integer> handleRequest(String event, DurableContext context) {
            var config = CallbackConfig.builder().serDes(NUMBER).build();
            var count = context.createCallback(event, Integer.class, config).get();
            return Map.of("count", count, "doubled", count * 2);
        }
    }

    public static final class TwoInTurn extends DurableHandler<List<String>, List<String>> {
        @Override
        public List<String> handleRequest(List<String> event, DurableContext context) {
            return event.stream().map(name -> create(context, name).get()).toList();
        }
    }

    public static final class TwoAtOnce extends DurableHandler<List<String>, List<String>> {
        @Override
        public List<String> handleRequest(List<String> event, DurableContext context) {
            var first = create(context, event.get(0));
            var second = create(context, event.get(1));
            return List.of(first.get(), second.get());
        }
    }

    public static final class TwoAtOnceReversed extends DurableHandler<List<String>, List<String>> {
        @Override
        public List<String> handleRequest(List<String> event, DurableContext context) {
            var first = create(context, event.get(0));
            var second = create(context, event.get(1));
            return List.of(second.get(), first.get());
        }
    }
}
