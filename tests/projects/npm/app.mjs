// Greets, with a package from npm.

import ms from "ms";

export const handler = async ({ name }) => `hello ${name}, see you in ${ms(60_000, { long: true })}`;
