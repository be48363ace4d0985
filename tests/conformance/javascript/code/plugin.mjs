// Suite `plugin`: one function for each requirement 10-x, and the plugin that writes down what it is told.
// 10-19 and 10-23 ask for fields that this SDK does not tell its plugins; the template says so.

import { always, attempts, durable, fail, failsUntil, NO_RETRY, stepOf } from "./common.mjs";

/**
 * Writes a JSON line for each hook, with all that the hook was told.
 *
 * Each requirement looks at some of the fields; a few are asked for under two names.
 * What is not there is left out of the line, or called `NONE` where a requirement wants that.
 */
class Recorder {
  constructor(name, { sayNone = false } = {}) {
    this.name = name;
    this.absent = sayNone ? { result: "NONE", error: "NONE" } : {};
  }

  record(hook, fields) {
    const line = { plugin: this.name, hook, durableExecutionArn: this.arn, ...fields };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }

  async onInvocationStart(info) {
    this.arn = info.executionArn;
    this.first = info.isFirstInvocation;
    this.record("invocation-start", {
      ...ofInvocation(info),
      first: info.isFirstInvocation,
      updatedOperationsCount: Object.keys(info.updatedOperations).length,
    });
    for (const operation of Object.values(info.updatedOperations)) {
      this.record("updated-on-invoke", { ...this.ofOperation(operation), first: info.isFirstInvocation });
    }
  }

  async onInvocationEnd(info) {
    this.record("invocation-end", {
      ...ofInvocation(info),
      status: info.status,
      terminal: ["SUCCEEDED", "FAILED"].includes(info.status),
      executionError: info.executionError?.message,
    });
  }

  async onOperationStart(info) {
    this.record("operation-start", this.ofOperation(info));
  }

  async onOperationEnd(info) {
    this.record("operation-end", this.ofOperation(info));
  }

  async onOperationChange(info) {
    for (const operation of Object.values(info.updatedOperations)) {
      const inFullMap = operation.id in info.operations;
      this.record("operation-change", {
        ...this.ofOperation(operation),
        in_full_map: inFullMap,
        inFullMap,
        executionArn: info.executionArn,
        updatedOperationsCount: Object.keys(info.updatedOperations).length,
        operationsCount: Object.keys(info.operations).length,
      });
    }
  }

  async onOperationAttemptStart(info) {
    this.record("attempt-start", this.ofOperation(info));
  }

  async onOperationAttemptEnd(info) {
    this.record("attempt-end", { ...this.ofOperation(info), outcome: info.outcome });
  }

  async wrapChildContextFn(info, body) {
    this.record("fn-start", this.ofOperation(info));
    try {
      const result = await body();
      this.record("fn-end", { ...this.ofOperation(info), outcome: "SUCCEEDED" });
      return result;
    } catch (error) {
      this.record("fn-end", { ...this.ofOperation(info), outcome: "FAILED" });
      throw error;
    }
  }

  ofOperation(info) {
    return {
      ...this.absent,
      op: info.id,
      id: info.id,
      name: info.name,
      type: info.type?.toUpperCase(),
      subType: info.subType,
      parent: info.parentId ?? "NONE",
      parentId: info.parentId,
      status: info.status,
      replay: info.isReplay,
      isReplay: info.isReplay,
      n: info.attempt,
      attempt: info.attempt,
      startTimestamp: info.startTimestamp,
      endTimestamp: info.endTimestamp,
      ...(info.result !== undefined && { result: info.result }),
      ...(info.error && { error: info.error.message }),
    };
  }
}

/** Fails in each hook, after it wrote its line. */
class Faulty extends Recorder {
  record(hook, fields) {
    super.record(hook, fields);
    throw new Error("a plugin must not disturb the execution");
  }
}

const ofInvocation = (info) => ({
  isFirstInvocation: info.isFirstInvocation,
  requestId: info.requestId,
  operationsCount: Object.keys(info.operations).length,
  executionStartTimestamp: info.executionStartTimestamp,
});

const recorded = (handler) => durable(handler, { plugins: [new Recorder("CONFPLUGIN")] });

const greet = (event, context) => context.step(always(`Hello, ${event}!`));

export const invocationHooks = recorded((event, context) =>
  context.step(async (step) => {
    step.logger.info(`Greeting step running for: ${event}`);
    return `Hello, ${event}!`;
  }),
);

export const operationHooks = recorded(greet);

export const attemptHooks = recorded((_event, context) =>
  context.step(failsUntil(2, "Operation succeeded"), { retryStrategy: attempts(2) }),
);

export const faulty = durable(greet, { plugins: [new Faulty("CONFPLUGIN-FAULTY")] });

export const several = durable(greet, { plugins: [new Recorder("CONFPLUGIN-A"), new Recorder("CONFPLUGIN-B")] });

export const firstInvocation = recorded((_event, context) => context.wait({ seconds: 2 }));

export const failedInvocation = recorded((_event, context) => context.step(fail, NO_RETRY));

export const operationChange = recorded(greet);

export const updatedOutside = recorded((_event, context) => context.wait({ seconds: 2 }));

export const waitHooks = recorded((_event, context) => context.wait({ seconds: 2 }));

export const parents = recorded((event, context) => context.runInChildContext(stepOf(`Hello, ${event}!`)));

export const branchHooks = recorded(async (_event, context) => {
  const branches = [always("task-1"), always("task-2")];
  return (await context.parallel("parallel", branches, { maxConcurrency: 1 })).getResults();
});

export const replayedStep = recorded(async (_event, context) => {
  await context.step(always("step A"));
  return context.step(failsUntil(2, "Operation succeeded"), { retryStrategy: attempts(2) });
});

export const resultsAndErrors = durable(
  async (_event, context) => {
    await context.step(always("task-a"));
    await context.step(async () => {
      throw new Error("boom");
    }, NO_RETRY);
  },
  { plugins: [new Recorder("CONFPLUGIN", { sayNone: true })] },
);

export const attemptsExhausted = recorded((_event, context) => context.step(fail, { retryStrategy: attempts(2) }));

export const suspendedInvocation = recorded((_event, context) => context.wait({ seconds: 2 }));

export const faultyAndHealthy = durable(greet, {
  plugins: [new Faulty("CONFPLUGIN-FAULTY"), new Recorder("CONFPLUGIN-HEALTHY")],
});

export const replayedWait = recorded(async (_event, context) => {
  const waiting = (name, seconds) => async (branch) => {
    await branch.wait(name, { seconds });
    return `${name}-done`;
  };
  return (await context.parallel("waits", [waiting("short", 2), waiting("long", 8)])).getResults();
});

export const operationFields = recorded((_event, context) => context.step("greet", always("task-a")));

export const attemptFields = recorded((_event, context) =>
  context.step("flaky", failsUntil(2, "ok"), { retryStrategy: attempts(2) }),
);

export const changeFields = recorded((_event, context) => context.step("greet", always("task-a")));
