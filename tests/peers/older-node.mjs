// The conformance checks import a function of `fs` that Node has from version 22 on. What is checked
// here does not call it.
import { register } from "node:module";

const fs =
  'data:text/javascript,export * from "node:fs"; export { default } from "node:fs"; ' +
  "export function globSync() { return []; }";
const hooks = `export async function resolve(name, context, next) {
  const wanted = name === "fs" && context.parentURL?.includes("/conformance/");
  return wanted ? { url: ${JSON.stringify(fs)}, shortCircuit: true } : next(name, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
