// The editor of the pages that have a script: takes the place of their text field, which stays for browsers without
// JavaScript and is what the form sends.
import { Compartment, EditorState, Prec } from "@codemirror/state";
import {
  EditorView, crosshairCursor, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap,
  lineNumbers, rectangularSelection,
} from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { StreamLanguage, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { colours, theme } from "./theme.js";
import { problems } from "./problems.js";
import { knowledge, names, help } from "./names.js";
import { Store } from "./store.js";
import { Trial } from "./trial.js";

// What is typed is put in by the editor, and not by the browser: that would keep the style of what it replaces with an
// inline style, which the policy of the page refuses with an error in the console. Composed text is the browser's.
const typing = EditorView.domEventHandlers({
  beforeinput(event, view) {
    if (event.inputType !== "insertText" || event.isComposing || view.composing || !event.data) return false;
    const { from, to } = view.state.selection.main;
    const insert = () => view.state.update(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    const handlers = view.state.facet(EditorView.inputHandler);
    if (!handlers.some((handler) => handler(view, from, to, event.data, insert))) view.dispatch(insert());
    event.preventDefault();
    return true;
  },
});

const dark = matchMedia("(prefers-color-scheme: dark)");

function mount(field) {
  const form = field.form;
  const host = document.createElement("div");
  host.className = "editor";
  // A root of its own: the styles of the editor are constructed sheets there, which the page's policy allows.
  const root = host.attachShadow({ mode: "open" });
  field.after(host);
  const shade = new Compartment();
  const shades = () => EditorView.theme({}, { dark: dark.matches });
  const known = knowledge();
  const commands = {};
  const does = (name) => () => {
    commands[name]?.();
    return true;
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: field.value,
      extensions: [
        Prec.highest(keymap.of([
          { key: "Mod-Enter", run: does("run") },
          { key: "Shift-Mod-Enter", run: does("dryRun") },
          { key: "Mod-s", run: does("store") },
        ])),
        typing, lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), drawSelection(),
        EditorState.allowMultipleSelections.of(true), indentOnInput(), bracketMatching(), closeBrackets(),
        rectangularSelection(), crosshairCursor(), highlightActiveLine(), highlightSelectionMatches(), search({ top: true }),
        indentUnit.of("  "), EditorState.tabSize.of(2), lintGutter(),
        StreamLanguage.define(lua), syntaxHighlighting(colours), theme, shade.of(shades()),
        names(known), help(known), problems(field.dataset.csrf, document.getElementById("problems")),
        EditorView.contentAttributes.of({
          "aria-label": "Script", "aria-describedby": "editor-keys", "aria-multiline": "true", autocapitalize: "off", spellcheck: "false",
        }),
        keymap.of([
          ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap,
          indentWithTab,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) commands.changed?.();
        }),
      ],
    }),
  });
  dark.addEventListener("change", () => view.dispatch({ effects: shade.reconfigure(shades()) }));
  const keys = document.createElement("p");
  keys.id = "editor-keys";
  keys.className = "soft keys";
  const stores = form.querySelector("[data-store]") ? " Ctrl+S stores," : "";
  keys.textContent = `Ctrl+Enter runs, Ctrl+Shift+Enter is a dry run,${stores} Ctrl+Space completes; Escape, then Tab leaves the editor.`;
  host.after(keys);
  field.hidden = true;
  document.querySelector("[data-plain]")?.remove();
  for (const part of form.querySelectorAll("[data-with-editor]")) part.hidden = false;
  field.labels[0]?.addEventListener("click", () => view.focus());
  form.addEventListener("submit", () => { field.value = view.state.doc.toString(); });
  const text = () => view.state.doc.toString();
  const store = new Store(form, field, text);
  const trial = new Trial(form, field, view, store);
  commands.run = () => trial.run();
  commands.dryRun = () => trial.dryRun();
  commands.store = () => store.store();
  commands.changed = () => store.changed();
  // The keys work from the other fields of the form, too.
  form.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !(event.ctrlKey || event.metaKey)) return;
    const name = event.key === "s" ? "store" : event.key !== "Enter" ? null : event.shiftKey ? "dryRun" : "run";
    if (!name) return;
    event.preventDefault();
    commands[name]();
  });
  document.documentElement.dataset.editor = "ready";
}

const field = document.querySelector("textarea#script");
if (field) mount(field);
