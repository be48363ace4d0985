"""Answers a question in steps: plan, research each topic, summarise, save. What is done is never asked again."""

import json
import os
import urllib.request
import uuid

import boto3
from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution, durable_step
from aws_durable_execution_sdk_python.config import Duration, MapConfig, StepConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy

TOPICS_MAX = 5
CALLS_AT_A_TIME = 3

# A model that is busy now may answer in a few seconds; nobody pays for the time between.
PATIENT = StepConfig(
    retry_strategy=create_retry_strategy(RetryStrategyConfig(max_attempts=5, initial_delay=Duration.from_seconds(2)))
)


@durable_execution
def handler(event: dict, context: DurableContext) -> dict:
    """Answer `question`."""
    question = event["question"]
    topics = context.step(plan(question), config=PATIENT)
    research = context.map(topics, look_into, name="research", config=MapConfig(max_concurrency=CALLS_AT_A_TIME))
    answer = context.step(summarise(question, research.get_results()), config=PATIENT)
    return {"id": context.step(save(question, answer)), "answer": answer}


@durable_step
def plan(_: StepContext, question: str) -> list[str]:
    """Split the question into topics."""
    lines = ask(f"Name up to {TOPICS_MAX} topics to look into, one a line, to answer: {question}").splitlines()
    return [line.strip() for line in lines if line.strip()][:TOPICS_MAX]


def look_into(context: DurableContext, topic: str, _index: int, _topics: list[str]) -> str:
    """Look into one topic, in a step of its own."""
    return context.step(lambda _: ask(f"Write two sentences about: {topic}"), name="ask", config=PATIENT)


@durable_step
def summarise(_: StepContext, question: str, notes: list[str]) -> str:
    """Answer the question from the notes."""
    return ask(f"Answer the question from these notes. Question: {question}\n\n" + "\n\n".join(notes))


@durable_step
def save(_: StepContext, question: str, answer: str) -> str:
    """Keep the answer, and return its id."""
    item = {"id": str(uuid.uuid4()), "question": question, "answer": answer}
    boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(Item=item)
    return item["id"]


def ask(prompt: str) -> str:
    """Ask the model, by the chat completions API that most servers of models speak."""
    body = {"model": os.environ["LLM_MODEL"], "messages": [{"role": "user", "content": prompt}]}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get('LLM_API_KEY', '')}"}
    request = urllib.request.Request(f"{os.environ['LLM_URL']}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["choices"][0]["message"]["content"]
