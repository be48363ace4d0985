// Wait for condition: poll, sleep, poll again.

export const condition = (event, context) =>
  context.waitForCondition("poll", async (state) => state + 1, {
    initialState: 0,
    waitStrategy: (state) =>
      state >= event.threshold ? { shouldContinue: false } : { shouldContinue: true, delay: { seconds: 1 } },
  });
