// Functions that are not durable: `{"do": WHAT, …}` chooses what they do.

import { LambdaClient } from "@aws-sdk/client-lambda";

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export async function handler(event, context) {
  switch (event?.do) {
    case "fail":
      throw new RangeError(event.message ?? "plain broke");
    case "exit":
      process.exit(3);
      break;
    case "sleep":
      await pause(event.seconds);
      return event.value;
    case "log":
      console.log(event.text);
      return undefined;
    case "environment":
      return Object.fromEntries(event.names.map((name) => [name, process.env[name] ?? null]));
    case "sdk":
      return new LambdaClient({}).config.serviceId;
    case "context":
      return {
        custom: context.clientContext?.custom ?? context.clientContext?.Custom ?? null,
        function_name: context.functionName,
        function_version: context.functionVersion,
        invoked_function_arn: context.invokedFunctionArn,
        memory_limit_in_mb: Number(context.memoryLimitInMB),
        remaining: context.getRemainingTimeInMillis(),
        request_id: context.awsRequestId,
      };
    default:
      return event;
  }
}
