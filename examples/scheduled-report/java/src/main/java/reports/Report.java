package reports;

import static software.amazon.lambda.durable.model.WaitForConditionResult.continuePolling;
import static software.amazon.lambda.durable.model.WaitForConditionResult.stopPolling;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.config.WaitForConditionConfig;
import software.amazon.lambda.durable.model.WaitForConditionResult;
import software.amazon.lambda.durable.retry.JitterStrategy;
import software.amazon.lambda.durable.retry.WaitForConditionWaitStrategy;
import software.amazon.lambda.durable.retry.WaitStrategies;

/** Writes a report every day for as long as it is told to: each day it starts an export, polls it, and sleeps. */
public final class Report extends DurableHandler<Report.Order, List<String>> {
    public record Order(int days) {}

    private record Export(int day, int polls) {}

    private static final int POLLS_OF_AN_EXPORT = 3;
    private static final WaitForConditionWaitStrategy<Export> GROWING_PAUSES = WaitStrategies.exponentialBackoff(
            60, Duration.ofMinutes(1), Duration.ofMinutes(5), 1.5, JitterStrategy.FULL);

    @Override
    public List<String> handleRequest(Order order, DurableContext context) {
        var reports = new ArrayList<String>();
        for (int day = 0; day < order.days(); day++) {
            int today = day;
            reports.add(context.runInChildContext("day-" + day, String.class, child -> report(child, today)));
            context.wait("night-" + day, Duration.ofDays(1));
        }
        return reports;
    }

    /** Writes the report of a day. */
    private static String report(DurableContext context, int day) {
        var started = context.step("start_export", Export.class, step -> startExport(day));
        var polling = WaitForConditionConfig.<Export>builder()
                .initialState(started)
                .waitStrategy(GROWING_PAUSES)
                .build();
        var export = context.waitForCondition("export", Export.class, (state, step) -> lookAt(state), polling);
        return context.step("write", String.class, step -> {
            return "day %d: ready after %d polls".formatted(day, export.polls());
        });
    }

    /** Starts the export of a day. A real one would call a warehouse. */
    private static Export startExport(int day) {
        return new Export(day, 0);
    }

    /** Looks how far the export is. */
    private static WaitForConditionResult<Export> lookAt(Export export) {
        var seen = new Export(export.day(), export.polls() + 1);
        return seen.polls() < POLLS_OF_AN_EXPORT ? continuePolling(seen) : stopPolling(seen);
    }
}
