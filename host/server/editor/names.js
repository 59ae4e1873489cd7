// Completes the actions of the tenant, their parameters and what else a script finds; shows what each is.
import { autocompletion, completeAnyWord, snippet } from "@codemirror/autocomplete";
import { syntaxTree } from "@codemirror/language";
import { hoverTooltip } from "@codemirror/view";
import { make } from "./ask.js";

const KEYWORDS = new Set("and break do else elseif end false for function global goto if in local nil not or repeat return then true until while".split(" "));
// A chain of names: `a.b`, and `a["b-c"].d`.
const CHAIN = /[A-Za-z_]\w*(?:\.\w*|\[(["'])[^"'\\]*\1\])*/g;
// How far back the call is looked for whose parameters are written.
const BACK = 4000;

// What Lua takes for a name of its own; any other text stands in brackets, quoted.
const is_name = (text) => /^[A-Za-z_]\w*$/.test(text) && !KEYWORDS.has(text);
const escaped = (one) => (/[\\"]/.test(one) ? `\\${one}` : `\\${String(one.charCodeAt(0)).padStart(3, "0")}`);
const quoted = (text) => `"${text.replace(/[\\"\u0000-\u001f\u007f]/g, escaped)}"`;
const key = (text) => (is_name(text) ? text : `[${quoted(text)}]`);
// The way to an action from `actions`: `.t.ok`, or `["my-tool"].run`.
const path = (name) => name.split(".").map((part) => (is_name(part) ? "." : "") + key(part)).join("");
const dotted = (chain) => chain.replace(/\[(["'])([^"'\\]*)\1\]/g, ".$2");
// A text that stands for itself in a regular expression, and in the template of a snippet.
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const plain = (text) => text.replace(/[{}]/g, "\\$&");

// What the server says of actions and globals, asked for once.
export function knowledge() {
  const get = (path, key) => fetch(path).then((answer) => answer.json()).then((all) => all[key] ?? []).catch(() => []);
  return Promise.all([get("/v1/actions", "actions"), get("/v1/globals", "globals")]).then(([actions, globals]) => ({
    actions: new Map(actions.map((action) => [action.name, action])),
    globals: new Map(globals.map((global) => [global.name, global])),
  }));
}

function params(action) {
  const schema = action.params ?? {};
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, one]) => ({
    name,
    required: required.has(name),
    type: one.enum ? one.enum.map((value) => JSON.stringify(value)).join(" | ") : [one.type ?? "any"].flat().join(" | "),
    text: [one.description, one.default === undefined ? null : `usually ${JSON.stringify(one.default)}`].filter(Boolean).join("; "),
  }));
}

function of_action(action) {
  const all = params(action);
  const rows = all.flatMap((one) => [
    make("dt", "", one.name),
    make("dd", "", `${one.type}${one.required ? ", required" : ""}${one.text ? `: ${one.text}` : ""}`),
  ]);
  return make("div", "help",
    make("div", "help-name", `actions.${action.name}`),
    make("div", "", action.summary ?? ""),
    make("div", "help-soft", `effects: ${action.effects}`),
    all.length ? make("dl", "help-params", ...rows) : null);
}

function of_global(global) {
  return make("div", "help", make("div", "help-name", global.signature ?? global.name), make("div", "", global.summary ?? "of Lua's own library"));
}

// The action whose table of parameters the position is in.
function call_at(state, pos) {
  const text = state.sliceDoc(Math.max(0, pos - BACK), pos);
  let depth = 0;
  for (let at = text.length - 1; at >= 0; at--) {
    if (text[at] === "}") depth++;
    else if (text[at] === "{" && depth-- === 0) {
      const before = text.slice(0, at).trimEnd().replace(/\($/, "").trimEnd();
      const name = [...before.matchAll(CHAIN)].at(-1);
      if (!name || name.index + name[0].length !== before.length || !/^actions[.[]/.test(name[0])) return null;
      return { name: dotted(name[0]).slice("actions.".length), table: text.slice(at + 1) };
    }
  }
  return null;
}

function is_text(state, pos) {
  return /string|comment/.test(syntaxTree(state).resolveInner(pos, -1).name);
}

// A call of an action, to be filled in: its required parameters. What the place holds is a name, or nothing.
const by_snippet = (action) => {
  const wanted = params(action).filter((one) => one.required);
  const field = (one, at) => `${plain(key(one.name))} = \${${at + 1}${is_name(one.name) ? `:${one.name}` : ""}}`;
  const call = plain(path(action.name));
  return wanted.length ? `${call}({ ${wanted.map(field).join(", ")} })` : `${call}({\${}})`;
};

export function names(known) {
  const source = async (context) => {
    if (is_text(context.state, context.pos)) return null;
    const word = context.matchBefore(/[A-Za-z_][\w.]*/);
    const { actions, globals } = await known;
    const chosen = context.matchBefore(/(?<![\w.])actions\.[\w.-]*/);
    if (chosen) {
      const options = [...actions.values()].map((action) => {
        const call = snippet(by_snippet(action));
        return {
          label: action.name, type: "function", detail: action.effects, info: () => of_action(action),
          // The dot that is there goes with what is completed: a bracket has none.
          apply: (view, option, from, to) => call(view, option, from - 1, to),
        };
      });
      return { from: chosen.from + "actions.".length, options, validFor: /^[\w.-]*$/ };
    }
    const call = call_at(context.state, context.pos);
    const action = call && actions.get(call.name);
    const begins = word ? word.from : context.pos;
    const options = [];
    if (action && /[{,;]\s*$/.test(context.state.sliceDoc(Math.max(0, begins - 200), begins))) {
      for (const one of params(action)) {
        if (new RegExp(`(^|[\\s,;{])${literal(key(one.name))}\\s*=`).test(call.table)) continue;
        options.push({
          label: one.name, type: "property", detail: `${one.type}${one.required ? ", required" : ""}`, boost: one.required ? 99 : 50,
          apply: `${key(one.name)} = `, info: one.text ? () => make("div", "", one.text) : undefined,
        });
      }
    }
    if (!word && !context.explicit && !options.length) return null;
    if (word || context.explicit) {
      options.push({ label: "actions", type: "namespace", detail: `${actions.size}`, boost: 20 });
      for (const global of globals.values()) {
        if (global.name === "actions") continue;
        options.push({
          label: global.name, type: global.signature?.includes("(") ? "function" : "variable",
          detail: global.signature?.slice(global.name.length) ?? "", info: () => of_global(global),
        });
      }
      for (const label of KEYWORDS) options.push({ label, type: "keyword", boost: -10 });
      const words = completeAnyWord(context);
      const there = new Set(options.map((option) => option.label));
      for (const one of words?.options ?? []) {
        if (/^[A-Za-z_]\w{2,}$/.test(one.label) && !there.has(one.label)) options.push({ label: one.label, type: "text", boost: -20 });
      }
    }
    return { from: begins, options, validFor: /^[\w.]*$/ };
  };
  return autocompletion({ override: [source], icons: false, closeOnBlur: true });
}

export function help(known) {
  return hoverTooltip(async (view, pos) => {
    const line = view.state.doc.lineAt(pos);
    for (const found of line.text.matchAll(CHAIN)) {
      const from = line.from + found.index, end = from + found[0].length;
      if (pos < from || pos > end) continue;
      const { actions, globals } = await known;
      const name = dotted(found[0]);
      const action = name.startsWith("actions.") && actions.get(name.slice("actions.".length));
      const global = globals.get(name);
      if (!action && !global) return null;
      return { pos: from, end, above: true, create: () => ({ dom: action ? of_action(action) : of_global(global) }) };
    }
    return null;
  });
}
