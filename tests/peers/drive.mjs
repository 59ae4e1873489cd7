// Drives `kael-host mcp` with the official TypeScript SDK, and prints what it saw as one JSON document.
//
//   node drive.mjs legacy|modern HOST ARG…

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [mode, command, ...args] = process.argv.slice(2);
const transport = new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" });
const client = new Client(
  { name: "kael-tests", version: "1" },
  {
    capabilities: { elicitation: { form: {} } },
    versionNegotiation: { mode: mode === "modern" ? { pin: "2026-07-28" } : "legacy" },
  },
);
const asked = [];
client.setRequestHandler("elicitation/create", async (request) => {
  asked.push(request.params.message);
  return { action: "accept", content: { approve: asked.length === 1 } };
});
await client.connect(transport);
const seen = { server: client.getServerVersion()?.name };
const call = (name, args, options) => client.callTool({ name, arguments: args }, options);
seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
seen.search = (await call("search", { query: "scale" })).structuredContent;
seen.describe = (await call("describe", { names: ["deploy.scale"] })).structuredContent;
seen.check = (await call("check", { code: "return actions.deploy.scal({})" })).structuredContent;
seen.run = (await call("run", { code: "return actions.deploy.status({}).env" })).structuredContent;
const more = "return actions.deploy.scale({ replicas = 12 }).replicas";
seen.approved = (await call("run", { code: more })).structuredContent;
seen.refused = (await call("run", { code: more })).structuredContent;
seen.asked = asked;
const controller = new AbortController();
setTimeout(() => controller.abort(), 300);
try {
  await call("run", { code: "sleep(600)" }, { signal: controller.signal });
} catch (error) {
  seen.cancelled = String(error.name);
}
const large = await call("run", { code: "print(string.rep('x', 100000))" });
seen.links = large.content.filter((block) => block.type === "resource_link").map((block) => block.uri);
seen.read = (await client.readResource({ uri: seen.links[0] })).contents[0].text.length;
await client.close();
console.log(JSON.stringify(seen));
