package answers;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.lambda.durable.DurableContext;
import software.amazon.lambda.durable.DurableHandler;
import software.amazon.lambda.durable.TypeToken;
import software.amazon.lambda.durable.config.MapConfig;
import software.amazon.lambda.durable.config.StepConfig;
import software.amazon.lambda.durable.retry.JitterStrategy;
import software.amazon.lambda.durable.retry.RetryStrategies;

/** Answers a question in steps: plan, research each topic, summarise, save. What is done is never asked again. */
public final class Answer extends DurableHandler<Answer.Input, Answer.Output> {
    public record Input(String question) {}

    public record Output(String id, String answer) {}

    private static final int TOPICS_MAX = 5;
    private static final MapConfig THREE_AT_A_TIME =
            MapConfig.builder().maxConcurrency(3).build();
    private static final TypeToken<List<String>> LINES = new TypeToken<>() {};

    /** A model that is busy now may answer in a few seconds; nobody pays for the time between. */
    private static final StepConfig PATIENT = StepConfig.builder()
            .retryStrategy(RetryStrategies.exponentialBackoff(
                    5, Duration.ofSeconds(2), Duration.ofMinutes(1), 2, JitterStrategy.FULL))
            .build();

    private final Model model = new Model();
    private final DynamoDbClient dynamodb = DynamoDbClient.create();

    @Override
    public Output handleRequest(Input input, DurableContext context) {
        var question = input.question();
        var topics = context.step("plan", LINES, step -> plan(question), PATIENT);
        var research = context.map("research", topics, String.class, this::lookInto, THREE_AT_A_TIME);
        var notes = research.succeeded();
        var answer = context.step("summarise", String.class, step -> summarise(question, notes), PATIENT);
        return new Output(context.step("save", String.class, step -> save(question, answer)), answer);
    }

    /** Splits the question into topics. */
    private List<String> plan(String question) {
        var prompt = "Name up to %d topics to look into, one a line, to answer: %s".formatted(TOPICS_MAX, question);
        var lines = model.ask(prompt).lines().map(String::strip);
        return lines.filter(line -> !line.isEmpty()).limit(TOPICS_MAX).toList();
    }

    /** Looks into one topic, in a step of its own. */
    private String lookInto(String topic, int index, DurableContext child) {
        return child.step("ask", String.class, step -> model.ask("Write two sentences about: " + topic), PATIENT);
    }

    /** Answers the question from the notes. */
    private String summarise(String question, List<String> notes) {
        return model.ask("""
                Answer the question from these notes. Question: %s

                %s""".formatted(question, String.join("\n\n", notes)));
    }

    /** Keeps the answer, and returns its id. */
    private String save(String question, String answer) {
        var id = UUID.randomUUID().toString();
        var item = Map.of(
                "id", AttributeValue.fromS(id),
                "question", AttributeValue.fromS(question),
                "answer", AttributeValue.fromS(answer));
        dynamodb.putItem(put -> put.tableName(System.getenv("TABLE")).item(item));
        return id;
    }
}
