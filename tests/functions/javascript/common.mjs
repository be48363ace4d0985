// What the handlers share: retry strategies and facts that outlive a process.

import fs from "node:fs";
import path from "node:path";

/** Returns a strategy that tries so many times, one second apart. */
export const attempts = (count) => (_error, attempt) =>
  attempt < count ? { shouldRetry: true, delay: { seconds: 1 } } : { shouldRetry: false };

/** Says whether this is the first call for `what`, across processes and invocations. */
export function firstTime(event, what) {
  try {
    fs.closeSync(fs.openSync(path.join(event.directory, what), "wx"));
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Appends one line to a file of the test, in one write. */
export const note = (event, file, line) => fs.appendFileSync(path.join(event.directory, file), `${line}\n`);

/** Waits until the test has made a file. */
export async function blockUntil(event, file) {
  while (!fs.existsSync(path.join(event.directory, file))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
