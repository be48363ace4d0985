package conformance;

import static conformance.Common.JSON;
import static conformance.Common.NO_RETRY;
import static conformance.Common.attempts;
import static conformance.Common.fail;
import static conformance.Common.failsUntil;
import static conformance.Common.retrying;
import static conformance.Common.seconds;
import static conformance.Common.step;
import static conformance.ParallelSuite.ONE_BY_ONE;
import static conformance.ParallelSuite.always;
import static conformance.ParallelSuite.run;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import software.amazon.lambda.durable.DurableConfig;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.config.ParallelConfig;
import software.amazon.lambda.durable.plugin.DurableExecutionPlugin;
import software.amazon.lambda.durable.plugin.InvocationEndInfo;
import software.amazon.lambda.durable.plugin.InvocationInfo;
import software.amazon.lambda.durable.plugin.InvocationStatus;
import software.amazon.lambda.durable.plugin.OperationChangeInfo;
import software.amazon.lambda.durable.plugin.OperationEndInfo;
import software.amazon.lambda.durable.plugin.OperationInfo;
import software.amazon.lambda.durable.plugin.UserFunctionEndInfo;
import software.amazon.lambda.durable.plugin.UserFunctionStartInfo;

/** Suite {@code plugin}: the functions of requirements 10-x, and the plugin that writes down what it is told. */
public final class PluginSuite {
    private PluginSuite() {}

    /**
     * Writes a JSON line for each hook, with all that the hook was told.
     *
     * <p>Each requirement looks at some of the fields, and calls some by another name than the SDK. What is not there
     * is left out of the line, or called {@code NONE} where a requirement wants that.
     */
    private static class Recorder implements DurableExecutionPlugin {
        private static final Map<String, String> ALSO_CALLED = Map.of(
                "id", "op",
                "parentId", "parent",
                "isReplay", "replay",
                "attempt", "n",
                "isFirstInvocation", "first",
                "executionStartTime", "executionStartTimestamp",
                "invocationStatus", "status");

        private final String name;
        private final List<String> none;
        private volatile String arn;

        /** Makes a plugin that calls these fields {@code NONE} where they are absent. */
        Recorder(String name, String... none) {
            this.name = name;
            this.none = List.of(none);
        }

        /** Writes one line. */
        void record(String hook, Record info, Map<String, ?> more) {
            var line = new LinkedHashMap<String, Object>();
            line.put("plugin", name);
            line.put("hook", hook);
            line.put("durableExecutionArn", arn);
            none.forEach(field -> line.put(field, "NONE"));
            line.putAll(more);
            for (var component : info.getClass().getRecordComponents()) {
                try {
                    tell(line, component.getName(), component.getAccessor().invoke(info));
                } catch (ReflectiveOperationException error) {
                    throw new IllegalStateException(error);
                }
            }
            System.out.println(JSON.serialize(line));
        }

        private void tell(Map<String, Object> line, String field, Object value) {
            if (value instanceof Map<?, ?> operations) {
                line.put(field + "Count", operations.size());
            } else if (value instanceof Throwable error) {
                line.put(field, error.getMessage());
            } else if (value != null) {
                line.put(field, value);
                line.put(ALSO_CALLED.getOrDefault(field, field), value);
            }
        }

        private void record(String hook, Record info) {
            record(hook, info, Map.of());
        }

        @Override
        public void onInvocationStart(InvocationInfo info) {
            arn = info.durableExecutionArn();
            record("invocation-start", info);
            for (var operation : info.updatedOperations().values()) {
                record("updated-on-invoke", operation, Map.of("first", info.isFirstInvocation()));
            }
        }

        @Override
        public void onInvocationEnd(InvocationEndInfo info) {
            var terminal = Set.of(InvocationStatus.SUCCEEDED, InvocationStatus.FAILED)
                    .contains(info.invocationStatus());
            record("invocation-end", info, Map.of("terminal", terminal));
        }

        @Override
        public void onOperationStart(OperationInfo info) {
            record("operation-start", info);
        }

        @Override
        public void onOperationEnd(OperationEndInfo info) {
            record("operation-end", info);
        }

        @Override
        public void onOperationChange(OperationChangeInfo info) {
            for (var operation : info.updatedOperations().values()) {
                var inFullMap = info.operations().containsKey(operation.id());
                record("operation-change", operation, Map.of(
                        "in_full_map", inFullMap,
                        "inFullMap", inFullMap,
                        "executionArn", info.durableExecutionArn(),
                        "updatedOperationsCount", info.updatedOperations().size(),
                        "operationsCount", info.operations().size()));
            }
        }

        @Override
        public void onUserFunctionStart(UserFunctionStartInfo info) {
            // A function runs again if its context was there before: then what it has done is replayed.
            var again = Map.of("isReplayingChildren", info.isReplay());
            record(info.attempt() == null ? "fn-start" : "attempt-start", info, again);
        }

        @Override
        public void onUserFunctionEnd(UserFunctionEndInfo info) {
            record(info.attempt() == null ? "fn-end" : "attempt-end", info);
        }
    }

    /** Fails in each hook, after it wrote its line. */
    private static final class Faulting extends Recorder {
        Faulting(String name) {
            super(name);
        }

        @Override
        void record(String hook, Record info, Map<String, ?> more) {
            super.record(hook, info, more);
            throw new IllegalStateException("a plugin must not disturb the execution");
        }
    }

    /** A handler whose plugin writes down what it is told. */
    private abstract static class Recorded<I, O> extends DurableHandler<I, O> {
        @Override
        protected DurableConfig createConfiguration() {
            return pluggedIn(new Recorder("CONFPLUGIN", "parent"));
        }
    }

    private static DurableConfig pluggedIn(DurableExecutionPlugin... plugins) {
        return DurableConfig.builder().withPlugins(plugins).build();
    }

    /** Greets by a step. */
    private static String greet(String event, DurableContext context) {
        return step(context, String.class, "Hello, " + event + "!");
    }

    public static final class InvocationHooks extends Recorded<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.step(null, String.class, step -> {
                step.getLogger().info("Greeting step running for: {}", event);
                return "Hello, " + event + "!";
            });
        }
    }

    public static final class Greeting extends Recorded<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return greet(event, context);
        }
    }

    public static final class AttemptHooks extends Recorded<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.step(null, String.class, failsUntil(2, "Operation succeeded"), retrying(attempts(2)));
        }
    }

    public static final class Faulty extends DurableHandler<String, String> {
        @Override
        protected DurableConfig createConfiguration() {
            return pluggedIn(new Faulting("CONFPLUGIN-FAULTY"));
        }

        @Override
        public String handleRequest(String event, DurableContext context) {
            return greet(event, context);
        }
    }

    public static final class Several extends DurableHandler<String, String> {
        @Override
        protected DurableConfig createConfiguration() {
            return pluggedIn(new Recorder("CONFPLUGIN-A"), new Recorder("CONFPLUGIN-B"));
        }

        @Override
        public String handleRequest(String event, DurableContext context) {
            return greet(event, context);
        }
    }

    public static final class Waiting extends Recorded<Object, Void> {
        @Override
        public Void handleRequest(Object event, DurableContext context) {
            return context.wait(null, seconds(2));
        }
    }

    public static final class FailedInvocation extends Recorded<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.step(null, String.class, step -> fail(), NO_RETRY);
        }
    }

    public static final class Parents extends Recorded<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            return context.runInChildContext(null, String.class, child -> greet(event, child));
        }
    }

    public static final class BranchHooks extends Recorded<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            return run(context, "parallel", ONE_BY_ONE, always("task-1"), always("task-2")).values();
        }
    }

    public static final class ReplayedStep extends Recorded<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            step(context, String.class, "step A");
            return context.step(null, String.class, failsUntil(2, "Operation succeeded"), retrying(attempts(2)));
        }
    }

    public static final class ResultsAndErrors extends DurableHandler<Object, String> {
        @Override
        protected DurableConfig createConfiguration() {
            return pluggedIn(new Recorder("CONFPLUGIN", "result", "error"));
        }

        @Override
        public String handleRequest(Object event, DurableContext context) {
            step(context, String.class, "task-a");
            return context.step(null, String.class, step -> boom(), NO_RETRY);
        }

        private static String boom() {
            throw new IllegalStateException("boom");
        }
    }

    public static final class AttemptsExhausted extends Recorded<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.step(null, String.class, step -> fail(), retrying(attempts(2)));
        }
    }

    public static final class FaultyAndHealthy extends DurableHandler<String, String> {
        @Override
        protected DurableConfig createConfiguration() {
            return pluggedIn(new Faulting("CONFPLUGIN-FAULTY"), new Recorder("CONFPLUGIN-HEALTHY"));
        }

        @Override
        public String handleRequest(String event, DurableContext context) {
            return greet(event, context);
        }
    }

    public static final class ReplayedWait extends Recorded<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = ParallelConfig.builder().maxConcurrency(2).build();
            return run(context, "waits", config, waiting("short", 2), waiting("long", 8)).values();
        }

        private static Function<DurableContext, String> waiting(String name, int durationSeconds) {
            return branch -> {
                branch.wait(name, seconds(durationSeconds));
                return name + "-done";
            };
        }
    }

    public static final class InvocationFields extends Recorded<String, String> {
        @Override
        public String handleRequest(String event, DurableContext context) {
            context.wait(null, seconds(2));
            return "done-" + event;
        }
    }

    public static final class NamedStep extends Recorded<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.step("greet", String.class, step -> "task-a");
        }
    }

    public static final class AttemptFields extends Recorded<Object, String> {
        @Override
        public String handleRequest(Object event, DurableContext context) {
            return context.step("flaky", String.class, failsUntil(2, "ok"), retrying(attempts(2)));
        }
    }

    public static final class ContextFields extends Recorded<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            try (var parallel = context.parallel("ctx", ONE_BY_ONE)) {
                var a = parallel.branch("branch-a", String.class, branch -> {
                    branch.step("inner", String.class, step -> "x");
                    branch.wait(null, seconds(2));
                    return "a-done";
                });
                var b = parallel.branch("branch-b", String.class, always("b-done"));
                parallel.get();
                return List.of(a.get(), b.get());
            }
        }
    }
}
