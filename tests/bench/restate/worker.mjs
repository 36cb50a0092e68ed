// What scripts/bench restate measures, beside tests/bench/load.c: a handler of three durable steps, each of which gives back
// what it got. Usage: node worker.mjs PORT (of loopback)
import * as http2 from "node:http2";
import { createEndpointHandler, service } from "@restatedev/restate-sdk";

const steps = service({
    name: "steps",
    handlers: {
        three: async (ctx, data) => {
            const a = await ctx.run("a", () => data);
            const b = await ctx.run("b", () => a);
            return await ctx.run("c", () => b);
        },
    },
});

http2.createServer(createEndpointHandler({ services: [steps] })).listen(Number(process.argv[2]), "127.0.0.1");
