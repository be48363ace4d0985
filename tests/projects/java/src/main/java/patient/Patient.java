package patient;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.lambda.model.Operation;
import software.amazon.awssdk.services.lambda.model.OperationAction;
import software.amazon.awssdk.services.lambda.model.OperationStatus;
import software.amazon.awssdk.services.lambda.model.OperationType;
import software.amazon.awssdk.services.lambda.model.OperationUpdate;

/** A step, three days of sleep, and a result: a durable function by AWS's API, without a durable SDK. */
public class Patient implements RequestHandler<Map<String, Object>, Map<String, String>> {
    private static final int THREE_DAYS_SECONDS = 3 * 24 * 60 * 60;
    private static final Map<String, String> SLEEPS = Map.of("Status", "PENDING");

    private final LambdaClient lambda = LambdaClient.create();

    @Override
    public Map<String, String> handleRequest(Map<String, Object> event, Context context) {
        String execution = (String) event.get("DurableExecutionArn");
        String token = (String) event.get("CheckpointToken");
        Map<String, Operation> operations = operations(execution, token);

        if (!operations.containsKey("greet")) {
            System.out.println("greets");
            String input = operations.get(idOf(execution)).executionDetails().inputPayload();
            String next = checkpoint(execution, token, update("greet", OperationType.STEP, OperationAction.START));
            checkpoint(
                    execution,
                    next,
                    update("greet", OperationType.STEP, OperationAction.SUCCEED).payload("{\"hello\":" + input + "}"),
                    update("sleep", OperationType.WAIT, OperationAction.START)
                            .waitOptions(wait -> wait.waitSeconds(THREE_DAYS_SECONDS)));
            return SLEEPS;
        }
        if (operations.get("sleep").status() != OperationStatus.SUCCEEDED) {
            return SLEEPS;
        }
        return Map.of("Status", "SUCCEEDED", "Result", operations.get("greet").stepDetails().result());
    }

    private Map<String, Operation> operations(String execution, String token) {
        var pages = lambda.getDurableExecutionStatePaginator(
                state -> state.durableExecutionArn(execution).checkpointToken(token).maxItems(1));
        return pages.operations().stream().collect(Collectors.toMap(Operation::id, Function.identity()));
    }

    private String checkpoint(String execution, String token, OperationUpdate.Builder... updates) {
        var built = Arrays.stream(updates).map(OperationUpdate.Builder::build).toList();
        return lambda.checkpointDurableExecution(
                        checkpoint -> checkpoint.durableExecutionArn(execution).checkpointToken(token).updates(built))
                .checkpointToken();
    }

    private static OperationUpdate.Builder update(String name, OperationType type, OperationAction action) {
        return OperationUpdate.builder().id(name).name(name).type(type).action(action);
    }

    /** The operation that is the execution itself has the last part of its ARN. */
    private static String idOf(String execution) {
        return execution.substring(execution.lastIndexOf('/') + 1);
    }
}
