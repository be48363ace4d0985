package conformance;

import static conformance.Common.COUNTS;
import static conformance.Common.JSON;
import static conformance.Common.OUTCOME;
import static conformance.Common.fail;
import static conformance.Common.seconds;
import static conformance.Common.step;

import conformance.Common.TextSerDes;
import java.lang.reflect.ParameterizedType;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import software.amazon.lambda.durable.DurableConfig;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableContext.MapFunction;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.TypeToken;
import software.amazon.lambda.durable.config.CompletionConfig;
import software.amazon.lambda.durable.config.MapConfig;
import software.amazon.lambda.durable.config.NestingType;
import software.amazon.lambda.durable.model.ConcurrencyCompletionStatus;
import software.amazon.lambda.durable.model.MapResult;
import software.amazon.lambda.durable.model.MapResult.MapResultItem;
import software.amazon.lambda.durable.serde.SerDes;

/** Suite {@code map}: one function for each requirement 9-x. */
public final class MapSuite {
    private static final MapConfig ONE_BY_ONE = MapConfig.builder().maxConcurrency(1).build();

    /** Items have a serializer of their own; the whole result keeps the usual one. */
    private static final MapConfig ITEM_SERDES = ONE_BY_ONE.toBuilder()
            .serDes(new SerDesOf(
                    String.class,
                    new TextSerDes(value -> "wrapped:" + value, text -> text.replaceFirst("^wrapped:", ""))))
            .build();

    /** The whole result has a serializer of its own; the items keep the usual one. */
    private static final MapConfig OPERATION_SERDES = ONE_BY_ONE.toBuilder()
            .serDes(new SerDesOf(MapResult.class, new TextSerDes(MapSuite::joined, MapSuite::split)))
            .build();

    private MapSuite() {}

    /** Writes and reads values of one class in their own way, and all others as JSON: a map has one serializer. */
    private record SerDesOf(Class<?> kind, SerDes own) implements SerDes {
        @Override
        public String serialize(Object value) {
            return (kind.isInstance(value) ? own : JSON).serialize(value);
        }

        @Override
        public <T> T deserialize(String text, TypeToken<T> type) {
            var raw = type.getType() instanceof ParameterizedType generic ? generic.getRawType() : type.getType();
            return (raw == kind ? own : JSON).deserialize(text, type);
        }
    }

    /** Writes the results of a whole operation. */
    private static String joined(Object result) {
        var results = ((MapResult<?>) result).succeeded().stream().map(String::valueOf).toList();
        return "OPSERDE:" + String.join(",", results);
    }

    /** Reads the results of a whole operation. */
    private static MapResult<String> split(String text) {
        var items = Stream.of(text.replaceFirst("^OPSERDE:", "").split(",")).map(MapResultItem::succeeded);
        return new MapResult<>(items.toList(), ConcurrencyCompletionStatus.ALL_COMPLETED);
    }

    /** Returns the configuration of a map that takes one item after the other, and may end before the last. */
    private static MapConfig until(CompletionConfig completion) {
        return ONE_BY_ONE.toBuilder().completionConfig(completion).build();
    }

    /** Fails for the item {@code fail}, returns every other. */
    private static String outcome(String item, int index, DurableContext child) {
        return item.equals("fail") ? fail() : item;
    }

    /** Returns the item in upper case. */
    private static String upper(String item, int index, DurableContext child) {
        return item.toUpperCase();
    }

    /** Maps texts to texts. */
    private static MapResult<String> run(
            DurableContext context,
            String name,
            List<String> items,
            MapFunction<String, String> body,
            MapConfig config) {
        return context.map(name, items, String.class, body, config);
    }

    /** Returns what a map operation says about itself. */
    private static Map<String, Object> facts(MapResult<?> result, List<String> names) {
        return Common.facts(
                result.completionReason(), result.succeeded().size(), result.failed().size(), names);
    }

    public static final class Basic extends DurableHandler<List<String>, List<String>> {
        @Override
        public List<String> handleRequest(List<String> event, DurableContext context) {
            MapFunction<String, String> greet = (item, index, child) -> {
                var greeting = "Hello, " + item + "!";
                return step(child, String.class, greeting);
            };
            return run(context, "map", event, greet, ONE_BY_ONE).succeeded();
        }
    }

    public static final class Unnamed extends DurableHandler<List<Integer>, List<Integer>> {
        @Override
        public List<Integer> handleRequest(List<Integer> event, DurableContext context) {
            MapFunction<Integer, Integer> twice = (item, index, child) -> item * 2;
            return context.map(null, event, Integer.class, twice, ONE_BY_ONE).succeeded();
        }
    }

    public static final class ItemAndIndex extends DurableHandler<List<Integer>, List<Integer>> {
        @Override
        public List<Integer> handleRequest(List<Integer> event, DurableContext context) {
            MapFunction<Integer, Integer> sum = (item, index, child) -> item + index;
            return context.map("indexed", event, Integer.class, sum, ONE_BY_ONE).succeeded();
        }
    }

    public static final class Empty extends DurableHandler<List<String>, List<String>> {
        @Override
        protected DurableConfig createConfiguration() {
            return DurableConfig.builder().withCheckpointEmptyMap(true).build();
        }

        @Override
        public List<String> handleRequest(List<String> event, DurableContext context) {
            return run(context, "empty", event, MapSuite::upper, ONE_BY_ONE).succeeded();
        }
    }

    public static final class FailFast extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(0));
            var items = List.of("ok", "fail", "never");
            return facts(run(context, "failfast", items, MapSuite::outcome, config), OUTCOME);
        }
    }

    public static final class Rethrow extends DurableHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(0));
            var result = run(context, "throwing", List.of("fail", "never"), MapSuite::outcome, config);
            // A result of this SDK keeps errors as data: who wants to fail throws one of them.
            throw new IllegalStateException(result.failed().get(0).errorMessage());
        }
    }

    public static final class MinSuccessful extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.minSuccessful(2));
            var items = List.of("a", "b", "c", "d");
            var result = run(context, "min-successful", items, MapSuite::outcome, config);
            return facts(result, List.of("completionReason", "successCount", "totalCount"));
        }
    }

    public static final class FailureTolerated extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(1));
            var items = List.of("ok", "fail", "ok");
            return facts(run(context, "tolerated", items, MapSuite::outcome, config), OUTCOME);
        }
    }

    public static final class ToleranceExceeded extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(1));
            var items = List.of("fail", "fail", "never");
            return facts(run(context, "tolerated-exceeded", items, MapSuite::outcome, config), COUNTS);
        }
    }

    public static final class PercentageExceeded extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailurePercentage(0.25));
            var items = List.of("fail", "fail", "never", "never");
            return facts(run(context, "tolerated-pct", items, MapSuite::outcome, config), COUNTS);
        }
    }

    public static final class Concurrent extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = MapConfig.builder().maxConcurrency(2).build();
            var items = List.of("r0", "r1", "r2");
            return run(context, "concurrent", items, MapSuite::outcome, config).succeeded();
        }
    }

    public static final class Flat extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var config = ONE_BY_ONE.toBuilder().nestingType(NestingType.FLAT).build();
            MapFunction<String, String> body = (item, index, child) -> step(child, String.class, item);
            return run(context, "flat", List.of("fa", "fb"), body, config).succeeded();
        }
    }

    public static final class ItemNames extends DurableHandler<List<Integer>, List<Integer>> {
        @Override
        public List<Integer> handleRequest(List<Integer> event, DurableContext context) {
            var config = ONE_BY_ONE.toBuilder()
                    .itemNamer((item, index) -> "item-" + item)
                    .build();
            MapFunction<Integer, Integer> tenfold = (item, index, child) -> item * 10;
            return context.map("named-items", event, Integer.class, tenfold, config).succeeded();
        }
    }

    public static final class ItemSerdes extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            return run(context, "item-serdes", List.of("x", "y"), MapSuite::upper, ITEM_SERDES).succeeded();
        }
    }

    public static final class ItemWaits extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            MapFunction<String, String> body = (item, index, child) -> {
                if (index == 1) {
                    child.wait(null, seconds(1));
                }
                return step(child, String.class, item);
            };
            return run(context, "suspending", List.of("r0", "r1"), body, ONE_BY_ONE).succeeded();
        }
    }

    public static final class LargeResult extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var items = Collections.nCopies(4, "x");
            MapFunction<String, String> enlarge = (item, index, child) -> item.repeat(70 * 1024);
            var result = run(context, "large", items, enlarge, ONE_BY_ONE);
            return facts(result, List.of("successCount", "totalCount"));
        }
    }

    public static final class ThenWait extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var result = run(context, "map", List.of("a", "b"), MapSuite::upper, ONE_BY_ONE);
            context.wait(null, seconds(1));
            return result.succeeded();
        }
    }

    public static final class FailureThenWait extends DurableHandler<Object, Map<String, Object>> {
        @Override
        public Map<String, Object> handleRequest(Object event, DurableContext context) {
            var config = until(CompletionConfig.toleratedFailureCount(1));
            var result = run(context, "tolerated", List.of("ok", "fail"), MapSuite::outcome, config);
            context.wait(null, seconds(1));
            return facts(result, OUTCOME);
        }
    }

    public static final class OperationSerdes extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            return run(context, "op-serde", List.of("x", "y"), MapSuite::upper, OPERATION_SERDES).succeeded();
        }
    }

    public static final class OperationSerdesReplayed extends DurableHandler<Object, List<String>> {
        @Override
        public List<String> handleRequest(Object event, DurableContext context) {
            var result = run(context, "op-serde-replay", List.of("x", "y"), MapSuite::upper, OPERATION_SERDES);
            context.wait(null, seconds(1));
            return result.succeeded();
        }
    }
}
