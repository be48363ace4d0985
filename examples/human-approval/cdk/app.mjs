// The human approval as a CDK app: the code of the TypeScript project, deployed by `cdk deploy`.

import { App, CfnOutput, Duration, Stack } from "aws-cdk-lib";
import { Code, Function, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";

const stack = new Stack(new App(), "human-approval-cdk");

const approval = new Function(stack, "Approval", {
  code: Code.fromAsset("dist"),
  handler: "app.handler",
  runtime: Runtime.NODEJS_22_X,
  timeout: Duration.seconds(30),
  memorySize: 256,
  durableConfig: { executionTimeout: Duration.days(10), retentionPeriod: Duration.days(30) },
  logGroup: new LogGroup(stack, "Logs", { retention: RetentionDays.ONE_MONTH }),
});

new CfnOutput(stack, "Function", { value: approval.functionName });
