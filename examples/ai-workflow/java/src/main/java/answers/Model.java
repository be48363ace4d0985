package answers;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import software.amazon.lambda.durable.TypeToken;
import software.amazon.lambda.durable.serde.JacksonSerDes;

/** A model, by the chat completions API that most servers of models speak. */
final class Model {
    private record Message(String role, String content) {}

    private record Prompt(String model, List<Message> messages) {}

    private record Completion(List<Choice> choices) {}

    private record Choice(Message message) {}

    private static final JacksonSerDes JSON = new JacksonSerDes();

    /** Does not offer HTTP/2, at which some servers of models stumble. */
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    /** Returns what the model answers. */
    String ask(String prompt) {
        var body = new Prompt(System.getenv("LLM_MODEL"), List.of(new Message("user", prompt)));
        var request = HttpRequest.newBuilder(URI.create(System.getenv("LLM_URL") + "/chat/completions"))
                .header("Content-Type", "application/json")
                .header("Authorization", "Bearer " + System.getenv("LLM_API_KEY"))
                .timeout(Duration.ofSeconds(60))
                .POST(BodyPublishers.ofString(JSON.serialize(body)))
                .build();
        var response = http.sendAsync(request, BodyHandlers.ofString()).join();
        if (response.statusCode() != 200) {
            throw new IllegalStateException("the model answered " + response.statusCode());
        }
        var completion = JSON.deserialize(response.body(), TypeToken.get(Completion.class));
        return completion.choices().get(0).message().content();
    }
}
