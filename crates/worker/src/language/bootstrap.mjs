// Runs a Node.js function: asks the Lambda Runtime API for an event, calls the handler, posts what it returns.
//
// Built-in modules only; Node.js 22 or later. Ends when the connection to the Runtime API drops, so that no process
// outlives a server that was killed.

import fs from "node:fs";
import module from "node:module";
import net from "node:net";
import path from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import util from "node:util";

const jsonLogs = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const levelMin = Math.max(0, levels.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL ?? "").toUpperCase()));

let requestId;
let tenantId;

// One kept connection; each request leaves as one packet. While no answer is awaited it does not keep the event loop
// alive, so an empty loop means that the function has nothing left to do.
class Api {
  #received = [];
  #length = 0;
  #settle;

  constructor(address) {
    const [host, port] = address.split(":");
    this.address = address;
    this.socket = net.connect({ host, port: Number(port), noDelay: true });
    this.socket.on("data", (chunk) => {
      this.#received.push(chunk);
      this.#length += chunk.length;
      this.#parse();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => process.exit(1));
  }

  call(method, route, body = "", errorType) {
    const bytes = Buffer.from(body);
    let head = `${method} /2018-06-01/runtime/${route} HTTP/1.1\r\nHost: ${this.address}\r\nContent-Length: ${bytes.length}\r\n`;
    if (bytes.length) head += "Content-Type: application/json\r\n";
    if (errorType) head += `Lambda-Runtime-Function-Error-Type: ${errorType.replace(/[^\x20-\x7e]/g, "?")}\r\n`;
    this.waits = true;
    this.socket.ref();
    this.socket.write(Buffer.concat([Buffer.from(head + "\r\n", "latin1"), bytes]));
    return new Promise((resolve) => (this.#settle = resolve));
  }

  // Begins a call whose body is written piece by piece; `end` answers as `call` does. While the pieces are written the
  // connection keeps the event loop alive for no longer than each of them takes.
  open(route, contentType) {
    const lines = [
      `POST /2018-06-01/runtime/${route} HTTP/1.1`,
      `Host: ${this.address}`,
      `Content-Type: ${contentType.replace(/[^\x20-\x7e]/g, "?")}`,
      "Lambda-Runtime-Function-Response-Mode: streaming",
      "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
      "Transfer-Encoding: chunked",
    ];
    this.socket.write(lines.join("\r\n") + "\r\n\r\n", "latin1");
    const answered = new Promise((resolve) => (this.#settle = resolve));
    return {
      write: (bytes, done) => {
        if (!bytes.length) return done?.();
        const length = Buffer.from(`${bytes.length.toString(16)}\r\n`);
        this.socket.write(Buffer.concat([length, bytes, Buffer.from("\r\n")]), done);
      },
      end: (trailers = "") => {
        this.waits = true;
        this.socket.ref();
        this.socket.write(`0\r\n${trailers}\r\n`, "latin1");
        return answered;
      },
    };
  }

  #parse() {
    if (this.needed === undefined) {
      const all = Buffer.concat(this.#received);
      const end = all.indexOf("\r\n\r\n");
      if (end < 0) return;
      const [first, ...lines] = all.toString("utf8", 0, end).split("\r\n");
      this.status = Number(first.split(" ")[1]);
      this.headers = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
      );
      this.needed = Number(this.headers["content-length"] ?? 0);
      this.#received = [all.subarray(end + 4)];
      this.#length = all.length - end - 4;
    }
    if (this.#length < this.needed) return;
    const body = Buffer.concat(this.#received);
    const answer = { status: this.status, headers: this.headers, body: body.toString("utf8", 0, this.needed) };
    this.#received = [];
    this.#length = 0;
    this.needed = undefined;
    this.waits = false;
    this.socket.unref();
    this.#settle(answer);
  }
}

// What a streaming handler writes its response to.
class ResponseStream extends Writable {
  #api;
  #route;
  #contentType = "application/octet-stream";
  #response;

  constructor(api, route) {
    super();
    this.#api = api;
    this.#route = route;
    // Whoever fails the stream says why by its handler's failure.
    this.on("error", () => {});
  }

  setContentType(contentType) {
    this.#contentType = String(contentType);
  }

  get begun() {
    return this.#response !== undefined;
  }

  #begin() {
    if (this.begun) return;
    this.#response = this.#api.open(this.#route, this.#contentType);
    this._onBeforeFirstWrite?.((bytes) => this.#response.write(Buffer.from(bytes)));
  }

  _write(chunk, _encoding, done) {
    this.#begin();
    this.#response.write(chunk, done);
  }

  _final(done) {
    this.#begin();
    this.#response.end().then(() => done(), done);
  }

  // Ends a response that was begun and cannot be finished.
  async fail(error) {
    const document = describe(error, "trace");
    const errorType = document.errorType.replace(/[^\x20-\x7e]/g, "?");
    const errorBody = Buffer.from(JSON.stringify(document)).toString("base64");
    this.destroy();
    await this.#response.end(
      `Lambda-Runtime-Function-Error-Type: ${errorType}\r\nLambda-Runtime-Function-Error-Body: ${errorBody}\r\n`,
    );
  }
}

// How AWS's runtime marks a handler that streams; libraries set it too.
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");

function defineAwslambda() {
  globalThis.awslambda = {
    streamifyResponse: (handler) => {
      handler[STREAMING] = "response";
      return handler;
    },
    HttpResponseStream: {
      // Status and headers go ahead of the body: JSON, then eight zero bytes.
      from: (stream, metadata) => {
        const prelude = JSON.stringify(metadata);
        stream.setContentType("application/vnd.awslambda.http-integration-response");
        stream._onBeforeFirstWrite = (write) => {
          write(prelude);
          write(new Uint8Array(8));
        };
        return stream;
      },
    },
  };
}

// A failure that has a name of its own in Lambda, rather than an error's.
class Fault extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
    this.stack = `${name}: ${message}`;
  }
}

// The lines of one record are joined by carriage returns, which the server takes apart.
function write(text) {
  process.stdout.write(text.replace(/\r?\n/g, "\r") + "\n");
}

function log(level, values) {
  if (levels.indexOf(level) < levelMin) return;
  const timestamp = new Date().toISOString();
  if (!jsonLogs) return write(`${timestamp}\t${requestId}\t${level}\t${util.format(...values)}`);
  const line = { timestamp, level, requestId, tenantId };
  if (values.length === 1) {
    try {
      return write(JSON.stringify({ ...line, message: values[0] }, errorAsFields));
    } catch {
      // Circular, or with a big integer: it has no JSON form but a printed one.
    }
  }
  line.message = util.format(...values);
  const error = values.find((value) => value instanceof Error);
  write(JSON.stringify({ ...line, ...(error && describe(error, "stackTrace")) }));
}

function errorAsFields(_key, value) {
  return value instanceof Error ? describe(value, "stackTrace") : value;
}

function describe(error, stackName) {
  if (!(error instanceof Error) && !util.types.isNativeError(error)) {
    return { errorType: typeof error, errorMessage: util.format(error), [stackName]: [] };
  }
  const errorType = error.name || error.constructor?.name || "Error";
  return { errorType, errorMessage: String(error.message), [stackName]: String(error.stack ?? "").split("\n") };
}

function logFailure(title, error) {
  if (jsonLogs) return log("ERROR", [describe(error, "stackTrace")]);
  write(`${new Date().toISOString()}\t${requestId}\tERROR\t${title} \t${JSON.stringify(describe(error, "stack"))}`);
}

function patchConsole() {
  const names = { trace: "TRACE", debug: "DEBUG", info: "INFO", log: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };
  for (const [name, level] of Object.entries(names)) console[name] = (...values) => log(level, values);
}

// `import` does not know NODE_PATH; what it cannot find near the code it shall find there.
function extendImport() {
  const parents = (process.env.NODE_PATH ?? "").split(":").filter((directory) => directory.endsWith("/node_modules"));
  const parentURLs = parents.map((directory) => pathToFileURL(path.dirname(directory) + "/").href);
  if (!parentURLs.length) return;
  if (module.registerHooks) {
    const resolve = (specifier, context, next) => {
      try {
        return next(specifier, context);
      } catch (error) {
        if (error.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|^\w+:/.test(specifier)) throw error;
        for (const parentURL of parentURLs) {
          try {
            return next(specifier, { ...context, parentURL });
          } catch {
            // The first error names the function's own file.
          }
        }
        throw error;
      }
    };
    return module.registerHooks({ resolve });
  }
  const source = `const parentURLs = ${JSON.stringify(parentURLs)};
    export async function resolve(specifier, context, next) {
      try { return await next(specifier, context); } catch (error) {
        if (error.code !== "ERR_MODULE_NOT_FOUND" || /^[./]|^\\w+:/.test(specifier)) throw error;
        for (const parentURL of parentURLs) try { return await next(specifier, { ...context, parentURL }); } catch {}
        throw error;
      }
    }`;
  module.register(`data:text/javascript,${encodeURIComponent(source)}`);
}

async function loadHandler(name) {
  const { dir, base } = path.parse(name);
  const dot = base.indexOf(".");
  if (dot < 1 || dot === base.length - 1) throw new Fault("Runtime.MalformedHandlerName", `Bad handler '${name}': write module.function`);
  const file = path.resolve(process.env.LAMBDA_TASK_ROOT, dir, base.slice(0, dot));
  let found;
  try {
    found = await loadModule(file);
  } catch (error) {
    const code = error?.code;
    if (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") throw renamed("Runtime.ImportModuleError", error);
    if (error instanceof SyntaxError) throw renamed("Runtime.UserCodeSyntaxError", error);
    throw error;
  }
  for (const part of base.slice(dot + 1).split(".")) found = found?.[part];
  if (found === undefined) throw new Fault("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof found !== "function") throw new Fault("Runtime.HandlerNotFound", `${name} is not a function`);
  return found;
}

function loadModule(file) {
  const candidates = ["", ".js", ".mjs", ".cjs"].map((extension) => file + extension);
  const existing = candidates.find((candidate) => fs.statSync(candidate, { throwIfNoEntry: false })?.isFile());
  const require = module.createRequire(file);
  if (existing?.endsWith(".mjs") || (existing?.endsWith(".js") && isModulePackage(existing))) return import(pathToFileURL(existing));
  try {
    return require(existing ?? file);
  } catch (error) {
    // A module by its syntax only, which `require` cannot load when it awaits at its top.
    if (existing && (error.code === "ERR_REQUIRE_ESM" || error.code === "ERR_REQUIRE_ASYNC_MODULE")) return import(pathToFileURL(existing));
    throw error;
  }
}

function isModulePackage(file) {
  for (let directory = path.dirname(file); ; directory = path.dirname(directory)) {
    const manifest = path.join(directory, "package.json");
    if (fs.existsSync(manifest)) return JSON.parse(fs.readFileSync(manifest, "utf8")).type === "module";
    if (directory === path.dirname(directory)) return false;
  }
}

function renamed(name, error) {
  const fault = new Fault(name, `${error.name}: ${error.message}`);
  fault.stack = `${name}: ${error.stack}`;
  return fault;
}

function makeContext(headers, done) {
  const env = process.env;
  const object = (text) => (text ? JSON.parse(text) : undefined);
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: object(headers["lambda-runtime-client-context"]),
    identity: object(headers["lambda-runtime-cognito-identity"]),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    tenantId: headers["lambda-runtime-aws-tenant-id"],
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: (error, value) => done(error, value),
    succeed: (value) => done(null, value),
    fail: (error) => done(error ?? new Error("the handler failed without an error")),
  };
}

// An answer comes from a promise, a callback or a plain value; an empty event loop ends the wait for the first two.
async function invoke(handler, headers, body) {
  const event = parse(body);
  let onEmpty;
  const empty = new Promise((resolve) => process.once("beforeExit", (onEmpty = resolve)));
  try {
    let done;
    const called = new Promise((resolve, reject) => {
      done = (error, value) => (error === null || error === undefined ? resolve({ value }) : reject(error));
    });
    called.catch(() => {});
    const context = makeContext(headers, done);
    const returned = handler(event, context, done);
    if (typeof returned?.then === "function") {
      const lost = new Fault("Runtime.NodeJsExit", "the event loop is empty, but a promise the handler awaits was never settled");
      return await Promise.race([returned, called.then(({ value }) => value), empty.then(() => Promise.reject(lost))]);
    }
    if (returned !== undefined) return returned;
    const answer = await Promise.race([called, empty.then(() => ({ value: null }))]);
    if (context.callbackWaitsForEmptyEventLoop) await empty;
    return answer.value;
  } finally {
    process.removeListener("beforeExit", onEmpty);
  }
}

// The response is over when the stream is finished, which may be after the handler returned. A handler that returned
// and left nothing to wait for has written everything.
async function invokeStreaming(handler, headers, body, stream) {
  const event = parse(body);
  const finished = new Promise((resolve) => stream.once("finish", resolve));
  let onEmpty;
  const empty = new Promise((resolve) => process.once("beforeExit", (onEmpty = resolve)));
  try {
    const returned = Promise.resolve(handler(event, stream, makeContext(headers, () => {})));
    const lost = new Fault("Runtime.NodeJsExit", "the event loop is empty, but a promise the handler awaits was never settled");
    await Promise.race([returned, empty.then(() => Promise.reject(lost))]);
    const destroyed = new Promise((_resolve, reject) => stream.once("error", reject));
    destroyed.catch(() => {});
    await Promise.race([finished, empty, destroyed]);
    if (!stream.writableEnded) stream.end();
    await Promise.race([finished, destroyed]);
  } finally {
    process.removeListener("beforeExit", onEmpty);
  }
}

function parse(body) {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new Fault("Runtime.UnmarshalError", `Unable to parse the event: ${error.message}`);
  }
}

function stringify(value) {
  try {
    return JSON.stringify(value ?? null) ?? "null";
  } catch (error) {
    throw new Fault("Runtime.MarshalError", `Unable to stringify the response: ${error.message}`);
  }
}

async function postFailure(api, route, error) {
  const document = describe(error, "trace");
  await api.call("POST", route, JSON.stringify(document), document.errorType);
}

async function main() {
  patchConsole();
  extendImport();
  defineAwslambda();
  const api = new Api(process.env.AWS_LAMBDA_RUNTIME_API);
  api.socket.unref();
  let stream;
  const crash = async (error, code) => {
    logFailure("Uncaught Exception", error);
    if (stream?.begun && !stream.writableEnded) await stream.fail(error);
    // Nobody waits for an answer between two invocations.
    else if (!api.waits) await postFailure(api, requestId ? `invocation/${requestId}/error` : "init/error", error);
    process.exit(code);
  };
  process.on("uncaughtException", (error) => crash(error, 129));
  process.on("unhandledRejection", (reason) => crash(new Fault("Runtime.UnhandledPromiseRejection", util.format(reason)), 128));

  let handler;
  try {
    handler = await loadHandler(process.env._HANDLER);
  } catch (error) {
    return crash(error, 129);
  }
  for (;;) {
    const { status, headers, body } = await api.call("GET", "invocation/next");
    if (status !== 200) process.exit(1);
    requestId = headers["lambda-runtime-aws-request-id"];
    tenantId = headers["lambda-runtime-aws-tenant-id"];
    process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
    stream = handler[STREAMING] ? new ResponseStream(api, `invocation/${requestId}/response`) : undefined;
    try {
      if (stream) {
        await invokeStreaming(handler, headers, body, stream);
      } else {
        const response = stringify(await invoke(handler, headers, body));
        await api.call("POST", `invocation/${requestId}/response`, response);
      }
    } catch (error) {
      logFailure("Invoke Error", error);
      if (stream?.begun) await stream.fail(error);
      else await postFailure(api, `invocation/${requestId}/error`, error);
    }
    stream = undefined;
  }
}

main();
