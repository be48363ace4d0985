// The durable function: `{"case": NAME, …}` chooses what it does.

import { withDurableExecution } from "@aws/durable-execution-sdk-js";

import * as callbacks from "./callbacks.mjs";
import * as conditions from "./conditions.mjs";
import * as contexts from "./contexts.mjs";
import * as failures from "./failures.mjs";
import * as invokes from "./invokes.mjs";
import * as large from "./large.mjs";
import * as runtimes from "./runtimes.mjs";
import * as steps from "./steps.mjs";
import * as waits from "./waits.mjs";

const cases = { ...callbacks, ...conditions, ...contexts, ...failures, ...invokes, ...large, ...runtimes, ...steps, ...waits };

export const handler = withDurableExecution(async (event, context) => cases[event.case](event, context));
