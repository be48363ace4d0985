// Answers a question in steps: plan, research each topic, summarise, save. What is done is never asked again.

import { randomUUID } from "node:crypto";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { createRetryStrategy, type DurableContext, withDurableExecution } from "@aws/durable-execution-sdk-js";

const TOPICS_MAX = 5;
const CALLS_AT_A_TIME = 3;

// A model that is busy now may answer in a few seconds; nobody pays for the time between.
const patient = { retryStrategy: createRetryStrategy({ maxAttempts: 5, initialDelay: { seconds: 2 } }) };

const dynamodb = new DynamoDBClient();

/** Answers `question`. */
export const handler = withDurableExecution(async ({ question }: { question: string }, context: DurableContext) => {
  const topics = await context.step("plan", () => plan(question), patient);
  const research = await context.map(
    "research",
    topics,
    (child, topic) => child.step("ask", () => ask(`Write two sentences about: ${topic}`), patient),
    { maxConcurrency: CALLS_AT_A_TIME },
  );
  const answer = await context.step("summarise", () => summarise(question, research.getResults()), patient);
  return { id: await context.step("save", () => save(question, answer)), answer };
});

/** Splits the question into topics. */
async function plan(question: string): Promise<string[]> {
  const text = await ask(`Name up to ${TOPICS_MAX} topics to look into, one a line, to answer: ${question}`);
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").slice(0, TOPICS_MAX);
}

/** Answers the question from the notes. */
function summarise(question: string, notes: string[]): Promise<string> {
  return ask([`Answer the question from these notes. Question: ${question}`, ...notes].join("\n\n"));
}

/** Keeps the answer, and returns its id. */
async function save(question: string, answer: string): Promise<string> {
  const id = randomUUID();
  const Item = { id: { S: id }, question: { S: question }, answer: { S: answer } };
  await dynamodb.send(new PutItemCommand({ TableName: process.env.TABLE, Item }));
  return id;
}

/** Asks the model, by the chat completions API that most servers of models speak. */
async function ask(prompt: string): Promise<string> {
  const response = await fetch(`${process.env.LLM_URL}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${process.env.LLM_API_KEY ?? ""}` },
    body: JSON.stringify({ model: process.env.LLM_MODEL, messages: [{ role: "user", content: prompt }] }),
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) {
    throw new Error(`the model answered ${response.status}`);
  }
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
  return choices[0].message.content;
}
