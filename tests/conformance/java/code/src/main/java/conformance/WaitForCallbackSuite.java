package conformance;

import static conformance.Common.attempts;
import static conformance.Common.fail;
import static conformance.Common.retrying;
import static conformance.Common.seconds;
import static conformance.Common.step;

import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.config.CallbackConfig;
import software.amazon.lambda.durable.config.WaitForCallbackConfig;
import software.amazon.lambda.durable.exception.CallbackException;

/** Suite {@code wait_for_callback}: one function for each requirement 7-x. The input is the operation's name. */
public final class WaitForCallbackSuite {
    private WaitForCallbackSuite() {}

    /** Asks nobody, because the requirement itself answers, and waits for the answer. */
    private static String answer(DurableContext context, String name) {
        return answer(context, name, CallbackConfig.builder());
    }

    private static String answer(DurableContext context, String name, CallbackConfig.Builder callback) {
        var config =
                WaitForCallbackConfig.builder().callbackConfig(callback.build()).build();
        return context.waitForCallback(name, String.class, (callbackId, step) -> {}, config);
    }

    public static final class Basic extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return answer(context, event);
        }
    }

    public static final class Named extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return answer(context, "approval");
        }
    }

    public static final class Unnamed extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.waitForCallback(null, String.class, (callbackId, step) -> {});
        }
    }

    public static final class Failure extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return answer(context, event);
        }
    }

    public static final class Timeout extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return answer(context, event, CallbackConfig.builder().timeout(seconds(3)));
        }
    }

    public static final class FailureCaught extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            try {
                return answer(context, event);
            } catch (CallbackException error) {
                return "recovered";
            }
        }
    }

    public static final class SubmitterFails extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            var config = WaitForCallbackConfig.builder()
                    .stepConfig(retrying(attempts(2)))
                    .build();
            return context.waitForCallback(event, String.class, (callbackId, step) -> fail(), config);
        }
    }

    public static final class InChild extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.runInChildContext("wrapper", String.class, child -> answer(child, event));
        }
    }

    public static final class Sequential extends DurableHandler<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            answer(context, "first");
            return answer(context, "second");
        }
    }

    public static final class AfterWaitAndStep extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            context.wait(null, seconds(1));
            step(context, String.class, "prepared");
            return answer(context, event);
        }
    }

    public static final class JsonPayload extends DurableHandler<String, Object> {
        @Override
        public Object handleRequest(String event, DurableContext context) {
            return context.waitForCallback(event, Common.OBJECT, (callbackId, step) -> {})
                    .get("status");
        }
    }

    public static final class HeartbeatTimeout extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return answer(context, event, CallbackConfig.builder().heartbeatTimeout(seconds(5)));
        }
    }

    public static final class Heartbeat extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return answer(context, event, CallbackConfig.builder().heartbeatTimeout(seconds(10)));
        }
    }

    public static final class TimeoutCaught extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            try {
                return answer(context, event, CallbackConfig.builder().timeout(seconds(3)));
            } catch (CallbackException error) {
                return "timed-out-handled";
            }
        }
    }

    public static final class NoPayload extends DurableHandler<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return answer(context, event);
        }
    }
}
