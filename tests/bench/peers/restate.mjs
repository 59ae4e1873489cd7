// A service of Restate: `node restate.mjs PORT`. A step is `ctx.run`.

import { appendFileSync } from "node:fs";

// What Node 20 does not have, and the SDK calls.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((one, other) => ([resolve, reject] = [one, other]));
  return { promise, resolve, reject };
};
const restate = await import("@restatedev/restate-sdk");

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

const bench = restate.service({
  name: "bench",
  handlers: {
    steps: async (ctx, { count }) => {
      for (let step = 0; step < count; step++) await ctx.run(() => 1);
      return count;
    },
    notes: async (ctx, { count, file }) => {
      for (let step = 0; step < count; step++) {
        await ctx.run(async () => {
          appendFileSync(file, `${Date.now() / 1000}\n`);
          await pause(20);
          return 1;
        });
      }
      return count;
    },
    waits: async (ctx) => ctx.sleep(3_600_000),
  },
});

await restate.serve({ services: [bench], port: Number(process.argv[2]) });
