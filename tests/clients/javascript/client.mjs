// Uses a server through the AWS SDK for JavaScript v3 and prints what it saw as one JSON document.

import { createRequire } from "node:module";

const require = createRequire(process.env.CLIENT_MODULES);
const lambda = require("@aws-sdk/client-lambda");

const client = new lambda.LambdaClient({ maxAttempts: 1 });
const qualified = { FunctionName: "javascript-durable", Qualifier: "$LATEST" };
const payload = (value) => Buffer.from(JSON.stringify(value));
const text = (bytes) => Buffer.from(bytes ?? []).toString();

async function poll(attempt) {
  for (let count = 0; count < 600; count += 1) {
    const found = await attempt();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("not within a minute");
}

async function history(arn) {
  const events = [];
  const pages = lambda.paginateGetDurableExecutionHistory({ client, pageSize: 2 }, { DurableExecutionArn: arn });
  for await (const page of pages) events.push(...page.Events);
  return events;
}

async function refusal(command) {
  try {
    await client.send(command);
    return null;
  } catch (error) {
    return {
      name: error.name,
      message: error.message,
      status: error.$metadata.httpStatusCode,
      requestId: error.$metadata.requestId,
      modelled: error instanceof lambda.LambdaServiceException,
    };
  }
}

const seen = {};

const configuration = await client.send(new lambda.GetFunctionConfigurationCommand(qualified));
seen.durableConfig = configuration.DurableConfig;
await lambda.waitUntilFunctionActiveV2({ client, maxWaitTime: 30 }, qualified);

const invoked = await client.send(
  new lambda.InvokeCommand({ ...qualified, Payload: payload({ case: "step", name: "SDK" }) }),
);
seen.invoked = {
  status: invoked.StatusCode,
  payload: JSON.parse(text(invoked.Payload)),
  version: invoked.ExecutedVersion,
};
const logged = await client.send(
  new lambda.InvokeCommand({
    FunctionName: "javascript-plain",
    Payload: payload({ do: "log", text: "written to the log" }),
    LogType: "Tail",
  }),
);
seen.log = Buffer.from(logged.LogResult, "base64").toString();
const execution = await client.send(
  new lambda.GetDurableExecutionCommand({ DurableExecutionArn: invoked.DurableExecutionArn }),
);
seen.execution = { status: execution.Status, result: execution.Result, started: execution.StartTimestamp };
seen.history = (await history(invoked.DurableExecutionArn)).map((event) => event.EventType);

const waiting = await client.send(
  new lambda.InvokeCommand({ ...qualified, InvocationType: "Event", Payload: payload({ case: "callback" }) }),
);
const arn = waiting.DurableExecutionArn;
const started = await poll(async () => (await history(arn)).find((event) => event.CallbackStartedDetails));
const CallbackId = started.CallbackStartedDetails.CallbackId;
await client.send(new lambda.SendDurableExecutionCallbackHeartbeatCommand({ CallbackId }));
await client.send(new lambda.SendDurableExecutionCallbackSuccessCommand({ CallbackId, Result: Buffer.from("ja ü") }));
const done = await poll(async () => {
  const now = await client.send(new lambda.GetDurableExecutionCommand({ DurableExecutionArn: arn }));
  return now.Status === "RUNNING" ? null : now;
});
seen.callback = { status: done.Status, result: JSON.parse(done.Result) };

const failed = await client.send(
  new lambda.InvokeCommand({ ...qualified, Payload: payload({ case: "handler_fails" }) }),
);
seen.failed = { error: failed.FunctionError, payload: JSON.parse(text(failed.Payload)) };

seen.refusals = {
  missing: await refusal(new lambda.GetFunctionCommand({ FunctionName: "missing" })),
  unqualified: await refusal(new lambda.InvokeCommand({ FunctionName: "javascript-durable" })),
  closed: await refusal(new lambda.SendDurableExecutionCallbackSuccessCommand({ CallbackId })),
  mappings: await refusal(new lambda.ListEventSourceMappingsCommand({})),
};

console.log(JSON.stringify(seen));
