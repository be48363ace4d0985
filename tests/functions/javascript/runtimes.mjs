// Which interpreter runs this, before and after a wait.

export async function interpreter(event, context) {
  const version = `nodejs${process.versions.node.split(".")[0]}.x`;
  const before = await context.step("before", async () => version);
  await context.wait("pause", { seconds: 1 });
  return [before, version];
}
