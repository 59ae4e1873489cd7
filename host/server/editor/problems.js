// What `check` finds, as it is typed: below the text at its line and column, and as a list beside it.
import { linter } from "@codemirror/lint";
import { ask } from "./ask.js";

const MOST = 8;

// The place of a line and a column, which are counted in characters from 1.
export function place(doc, line, column) {
  const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
  const units = [...at.text].slice(0, Math.max(column - 1, 0)).join("").length;
  const from = Math.min(at.from + units, at.to);
  const word = /^(?:[\w.]+|\S)/.exec(at.text.slice(from - at.from));
  return { from, to: Math.min(from + (word?.[0].length ?? 0), at.to) };
}

function item(view, problem) {
  const line = document.createElement("li");
  const go = document.createElement("button");
  go.type = "button";
  go.className = "plain";
  go.textContent = `line ${problem.line}: ${problem.message}`;
  go.addEventListener("click", () => {
    view.dispatch({ selection: { anchor: place(view.state.doc, problem.line, problem.column).from }, scrollIntoView: true });
    view.focus();
  });
  line.append(go);
  if (problem.hint) {
    const hint = document.createElement("small");
    hint.textContent = problem.hint;
    line.append(hint);
  }
  return line;
}

export function problems(csrf, list) {
  // What was found last: it stays when the server does not answer.
  let found = [];
  const source = async (view) => {
    const doc = view.state.doc;
    const { ok, value } = await ask("POST", "/v1/runs/check", { csrf, body: { script: doc.toString() } });
    // A late answer says nothing of a newer text.
    if (view.state.doc !== doc) return [];
    if (ok) {
      found = value.problems;
      list?.replaceChildren(...found.slice(0, MOST).map((problem) => item(view, problem)));
    }
    return found.map((problem) => ({
      ...place(doc, problem.line, problem.column),
      severity: "error",
      message: problem.hint ? `${problem.message}\n${problem.hint}` : problem.message,
    }));
  };
  return linter(source, { delay: 400 });
}
