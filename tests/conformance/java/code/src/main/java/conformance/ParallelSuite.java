package conformance;

import static conformance.Common.COUNTS;
import static conformance.Common.JSON;
import static conformance.Common.OBJECT;
import static conformance.Common.OUTCOME;
import static conformance.Common.fail;
import static conformance.Common.seconds;
import static conformance.Common.step;

import conformance.Common.TextSerDes;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableFuture;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.TypeToken;
import software.amazon.lambda.durable.config.CompletionConfig;
import software.amazon.lambda.durable.config.NestingType;
import software.amazon.lambda.durable.config.ParallelBranchConfig;
import software.amazon.lambda.durable.config.ParallelConfig;
import software.amazon.lambda.durable.model.ParallelResult;

/** Suite {@code parallel}: one function for each requirement 8-x. */
public final class ParallelSuite {
    private static final TypeToken<List<String>> STRINGS = new TypeToken<>() {};
    static final ParallelConfig ONE_BY_ONE =
            ParallelConfig.builder().maxConcurrency(1).build();
    private static final TextSerDes WRAPPED = new TextSerDes(
            value -> JSON.serialize(Map.of("wrapped", value)),
            text -> JSON.deserialize(text, OBJECT).get("wrapped"));

    private ParallelSuite() {}

    /** What came of a parallel operation: what it says about itself, and its branches. */
    record Outcome(ParallelResult result, List<DurableFuture<String>> branches) {
        List<String> values() {
            return branches.stream().map(DurableFuture::get).toList();
        }

        Map<String, Object> facts(List<String> names) {
            return Common.facts(result.completionStatus(), result.succeeded(), result.failed(), names);
        }
    }

    /** Returns what gives one value, as a branch. */
    static Function<DurableContext, String> always(String value) {
        return branch -> value;
    }

    /** Returns what gives one value by a step, as a branch. */
    private static Function<DurableContext, String> stepOf(String value) {
        return branch -> step(branch, String.class, value);
    }

    /** Returns what fails, as a branch. */
    private static Function<DurableContext, String> failing() {
        return branch -> fail();
    }

    /** Returns the configuration of branches that run one after the other, and may end before the last. */
    private static ParallelConfig until(CompletionConfig completion) {
        return ONE_BY_ONE.toBuilder().completionConfig(completion).build();
    }

    /**
     * Runs branches without names.
     *
     * <p>The whole is waited for before its branches, here and everywhere: if a branch suspended the function while the
     * operation is still open, closing it would suspend it once more.
     */
    @SafeVarargs
    static Outcome run(
            DurableContext context, String name, ParallelConfig config, Function<DurableContext, String>... branches) {
        try (var parallel = context.parallel(name, config)) {
            var futures = List.of(branches).stream()
                    .map(branch -> parallel.branch(null, String.class, branch))
                    .toList();
            return new Outcome(parallel.get(), futures);
        }
    }

    public static final class Basic extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            return run(context, "parallel", ONE_BY_ONE, stepOf("task-1"), stepOf("task-2")).values();
        }
    }

    public static final class Unnamed extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            return run(context, null, ONE_BY_ONE, always("alpha"), always("beta")).values();
        }
    }

    public static final class NamedBranches extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            try (var parallel = context.parallel("named", ONE_BY_ONE)) {
                var first = parallel.branch("first", String.class, always("one"));
                var second = parallel.branch("second", String.class, always("two"));
                parallel.get();
                return List.of(first.get(), second.get());
            }
        }
    }

    public static final class MixedTypes extends DurableHandler<Object, List<Object>> {
        @Override
        public List<Object> handleRequest(Object event, DurableContext context) {
            try (var parallel = context.parallel("hetero", ONE_BY_ONE)) {
                var text = parallel.branch(null, String.class, branch -> "hello");
                var number = parallel.branch(null, Integer.class, branch -> 42);
                var object = parallel.branch(null, OBJECT, branch -> Map.of("k", "v"));
                parallel.get();
                return List.of(text.get(), number.get(), object.get());
            }
        }
    }

    public static final class Empty extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            return run(context, "empty", ONE_BY_ONE).values();
        }
    }

    public static final class FailFast extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(0));
            return run(context, "failfast", config, always("ok"), failing(), always("never")).facts(OUTCOME);
        }
    }

    public static final class Rethrow extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(0));
            return run(context, "throwing", config, failing(), always("never")).values();
        }
    }

    public static final class MinSuccessful extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.minSuccessful(2));
            return run(
                            context,
                            "min-successful",
                            config,
                            always("ok"),
                            always("ok"),
                            always("never"),
                            always("never"))
                    .facts(List.of("completionReason", "successCount", "totalCount"));
        }
    }

    public static final class FailureTolerated extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(1));
            return run(context, "tolerated", config, always("ok"), failing(), always("ok")).facts(OUTCOME);
        }
    }

    public static final class ToleranceExceeded extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(1));
            return run(context, "tolerated-exceeded", config, failing(), failing(), always("never")).facts(COUNTS);
        }
    }

    public static final class Concurrent extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = ParallelConfig.builder().maxConcurrency(2).build();
            return run(context, "concurrent", config, always("r0"), always("r1"), always("r2")).values();
        }
    }

    public static final class Flat extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = ONE_BY_ONE.toBuilder().nestingType(NestingType.FLAT).build();
            return run(context, "flat", config, stepOf("fa"), stepOf("fb")).values();
        }
    }

    public static final class PercentageExceeded extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailurePercentage(0.25));
            return run(context, "tolerated-pct", config, failing(), failing(), always("never"), always("never"))
                    .facts(COUNTS);
        }
    }

    public static final class BranchWaits extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            Function<DurableContext, String> waiting = branch -> {
                branch.wait(null, seconds(2));
                return "b1";
            };
            return run(context, "suspending", ONE_BY_ONE, stepOf("b0"), waiting).values();
        }
    }

    public static final class ItemSerdes extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = ParallelBranchConfig.builder().serDes(WRAPPED).build();
            try (var parallel = context.parallel("serde", ONE_BY_ONE)) {
                var x = parallel.branch(null, String.class, always("x"), config);
                var y = parallel.branch(null, String.class, always("y"), config);
                parallel.get();
                return List.of(x.get(), y.get());
            }
        }
    }

    public static final class AllFail extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(3));
            return run(context, "all-fail", config, failing(), failing(), failing()).facts(OUTCOME);
        }
    }

    public static final class MinNotReached extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.minSuccessful(3));
            return run(context, "min-not-reached", config, always("ok"), failing(), always("ok")).facts(OUTCOME);
        }
    }

    public static final class BothCriteria extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(new CompletionConfig(3, 1, null));
            return run(context, "combined", config, failing(), failing(), always("never"), always("never"))
                    .facts(COUNTS);
        }
    }

    public static final class BadConcurrency extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = ParallelConfig.builder().maxConcurrency(0).build();
            return run(context, "bad-concurrency", config, always("a"), always("b")).values();
        }
    }

    public static final class Accessors extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(1));
            var outcome = run(context, "accessors", config, always("ok"), failing(), always("ok"));
            return Map.of(
                    "hasFailure", outcome.result().failed() > 0,
                    "successCount", outcome.result().succeeded(),
                    "failureCount", outcome.result().failed(),
                    "errorCount", outcome.branches().stream().filter(Accessors::throwsError).count());
        }

        private static boolean throwsError(DurableFuture<String> branch) {
            try {
                branch.get();
                return false;
            } catch (IllegalStateException error) {
                return true;
            }
        }
    }

    public static final class Nested extends DurableHandler<Object, List<List<String>>> {
        @Override
        public List<List<String>> handleRequest(Object event, DurableContext context) {
            try (var outer = context.parallel("outer", ONE_BY_ONE)) {
                var branch = outer.branch(
                        null,
                        STRINGS,
                        child -> run(child, "inner", ONE_BY_ONE, stepOf("i1"), stepOf("i2")).values());
                outer.get();
                return List.of(branch.get());
            }
        }
    }

    public static final class PercentageReached extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailurePercentage(0.25));
            return run(context, "pct-boundary", config, failing(), always("ok"), always("ok"), always("ok"))
                    .facts(OUTCOME);
        }
    }
}
