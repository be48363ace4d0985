package conformance;

import static conformance.Common.seconds;
import static conformance.Common.step;

import conformance.Common.TextSerDes;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.config.InvokeConfig;
import software.amazon.lambda.durable.exception.InvokeException;

/** Suite {@code invoke}: one function for each requirement 5-x, and the functions that they call. */
public final class InvokeSuite {
    private static final String TARGET = System.getenv("TARGET");
    private static final TextSerDes UPPER_CASE =
            new TextSerDes(value -> Common.JSON.serialize(value).toUpperCase(), String::toUpperCase);

    private InvokeSuite() {}

    private static String invoke(DurableContext context, String payload) {
        return context.invoke(null, TARGET, payload, String.class);
    }

    public static final class TargetEcho extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            context.wait(null, seconds(1)); // the caller is suspended by then
            return event;
        }
    }

    public static final class TargetError extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            context.wait(null, seconds(1));
            throw new IllegalStateException("the target fails");
        }
    }

    public static final class Basic extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            return context.invoke(null, TARGET, event, Object.class);
        }
    }

    public static final class Named extends DurableHandler<Map<String, Object>, Object> {
        @Override
        public Object handleRequest(Map<String, Object> event, DurableContext context) {
            return context.invoke(event.get("name").toString(), TARGET, event.get("payload"), Object.class);
        }
    }

    public static final class ComplexObject extends DurableHandler<Map<String, Object>, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Map<String, Object> event, DurableContext context) {
            return context.invoke(null, TARGET, event, Common.OBJECT);
        }
    }

    public static final class NullResult extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            return context.invoke(null, TARGET, null, Object.class);
        }
    }

    public static final class Failure extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            return context.invoke(null, TARGET, event, Object.class);
        }
    }

    public static final class FailureCaught extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            try {
                return context.invoke(null, TARGET, event, Object.class);
            } catch (InvokeException error) {
                return "fallback";
            }
        }
    }

    public static final class LargePayload extends DurableHandler<Object, Integer> {
        @Override
        public Integer handleRequest(Object event, DurableContext context) {
            return invoke(context, "x".repeat(200 * 1024)).length();
        }
    }

    public static final class Tenant extends DurableHandler<Map<String, String>, String> {
        @Override
        public String handleRequest(Map<String, String> event, DurableContext context) {
            var config = InvokeConfig.builder().tenantId(event.get("tenantId")).build();
            return context.invoke(null, TARGET, event.get("payload"), String.class, config);
        }
    }

    public static final class ReplayedSuccess extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            var result = invoke(context, "echo");
            context.wait(null, seconds(1));
            return result;
        }
    }

    public static final class ReplayedFailure extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            try {
                return invoke(context, "fail");
            } catch (InvokeException error) {
                context.wait(null, seconds(1));
                return error.getMessage();
            }
        }
    }

    public static final class AfterStep extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return invoke(context, step(context, String.class, "from the step"));
        }
    }

    public static final class BeforeStep extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return step(context, String.class, invoke(context, "from the target"));
        }
    }

    public static final class InChild extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.runInChildContext(null, String.class, child -> invoke(child, "from the child"));
        }
    }

    public static final class Sequential extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            return Stream.of("first", "second")
                    .map(payload -> invoke(context, payload))
                    .toList();
        }
    }

    public static final class PayloadSerdes extends DurableHandler<Map<String, Object>, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Map<String, Object> event, DurableContext context) {
            var config = InvokeConfig.builder().payloadSerDes(UPPER_CASE).build();
            return context.invoke(null, TARGET, event, Common.OBJECT, config);
        }
    }

    public static final class ResultSerdes extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var config = InvokeConfig.builder().serDes(UPPER_CASE).build();
            return context.invoke(null, TARGET, event, String.class, config);
        }
    }
}
