// Drives `POST /mcp` with the official TypeScript SDK, and prints what it saw as one JSON document.
//
//   node http.mjs legacy|modern URL TOKEN

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [mode, url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
const client = new Client(
  { name: "kael-tests", version: "1" },
  { versionNegotiation: { mode: mode === "modern" ? { pin: "2026-07-28" } : "legacy" } },
);
await client.connect(transport);
const { tools } = await client.listTools();
const call = async (name, args) =>
  (await client.callTool({ name, arguments: args })).structuredContent;
const run = await call("run", { code: "print('x') return { n = 7 }" });
const wrong = await call("run", { code: "return nothing.at.all" });
const result = await call("result", { run: run.run });
console.log(
  JSON.stringify({
    server: client.getServerVersion()?.name,
    tools: tools.map((tool) => tool.name),
    run,
    wrong,
    result,
  }),
);
await client.close();
