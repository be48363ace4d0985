// What the handlers share: retry strategies and facts that outlive a process.

/** Returns a strategy that tries so many times, one second apart. */
export const attempts = (count) => (_error, attempt) =>
  attempt < count ? { shouldRetry: true, delay: { seconds: 1 } } : { shouldRetry: false };

/** Says whether this is the first call for `what`, across processes and invocations. */
export async function firstTime(event, what) {
  const response = await fetch(`${event.board}/${what}`, { method: "PUT", body: "" });
  return response.status === 201;
}

/** Appends one line to a file of the test, in one write. */
export const note = (event, file, line) => fetch(`${event.board}/${file}`, { method: "POST", body: `${line}\n` });

/** Waits until the test has made a file. */
export async function blockUntil(event, file) {
  while ((await fetch(`${event.board}/${file}`)).status !== 200) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
