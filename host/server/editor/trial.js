// Runs the text, or what it would call, and shows that beside it as it comes.
import { setDiagnostics } from "@codemirror/lint";
import { ask, make, told } from "./ask.js";
import { place } from "./problems.js";

// Characters of output that the page keeps.
const MOST = 1 << 20;

// The line that a text names of a script, as on the page of a run: Lua leaves out the beginning of a long name.
function line_in(text, name) {
  const at = text.indexOf(`${name}:`);
  const cut = at < 0 && /^\s*\.\.\.([^:]*):/.exec(text);
  if (at < 0 && !(cut && cut[1].length > 8 && name.endsWith(cut[1]))) return 0;
  return Number(/^\d*/.exec(text.slice(at < 0 ? cut[0].length : at + name.length + 1))[0]);
}

export class Trial {
  constructor(form, field, view, store) {
    Object.assign(this, { form, view, store, csrf: field.dataset.csrf, calls: new Map() });
    this.panel = document.getElementById("trial");
    this.buttons = { run: form.querySelector("[data-run-text]"), dry: form.querySelector("[data-dry-run]") };
    for (const button of Object.values(this.buttons)) button?.removeAttribute("hidden");
    this.buttons.run?.addEventListener("click", (event) => { event.preventDefault(); this.run(); });
    this.buttons.dry?.addEventListener("click", (event) => { event.preventDefault(); this.dryRun(); });
  }

  request() {
    const { elements } = this.form;
    const words = (name) => (elements[name]?.value ?? "").split(/\s+/).filter(Boolean);
    const pairs = words("labels").map((pair) => pair.split("=")).filter((pair) => pair.length > 1);
    const labels = Object.fromEntries(pairs.map(([key, ...rest]) => [key, rest.join("=")]));
    const request = { args: words("args"), read_only: Boolean(elements.read_only?.checked), labels };
    const stored = this.store.stored();
    if (stored) return { ...request, name: stored };
    const name = this.store.name || elements.name?.value.trim() || "script.lua";
    if (this.store.name) request.labels = { ...labels, text: "not stored" };
    return { ...request, script: this.view.state.doc.toString(), name };
  }

  // The panel, empty again.
  begin(title) {
    this.events?.close();
    this.calls.clear();
    this.badge = make("span", "badge queued", title);
    this.badge.setAttribute("role", "status");
    this.actions = make("span", "row tight");
    this.log = make("pre", "log");
    Object.assign(this.log, { tabIndex: 0 });
    this.log.setAttribute("aria-label", "Output of the trial");
    this.list = make("div", "calls");
    this.error = make("div", "");
    const head = make("div", "trial-head", make("h2", "", "Trial"), this.badge, make("span", "grow"), this.actions);
    this.panel.replaceChildren(head, this.error, make("div", "card", this.log), this.list);
    this.panel.hidden = false;
    this.panel.scrollIntoView({ block: "nearest" });
  }

  state(name, text = name) {
    this.badge.className = `badge ${name}`;
    this.badge.textContent = text;
    this.panel.dataset.state = name;
  }

  print(text) {
    const at_end = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 40;
    const room = MOST - (this.printed ?? 0);
    if (room > 0) this.log.append(text.slice(0, room));
    this.printed = (this.printed ?? 0) + text.length;
    if (at_end) this.log.scrollTop = this.log.scrollHeight;
  }

  failed(error, name) {
    this.error.replaceChildren(make("section", "card error",
      make("div", "what", error.message),
      error.traceback?.length || error.hint
        ? make("div", "more", error.traceback?.length ? make("div", "mono", ...error.traceback.map((frame) => make("div", "", frame))) : null,
          error.hint ? make("div", "hint", `Hint: ${error.hint}`) : null)
        : null));
    // The line of it in the editor, until something is typed.
    const short = name.split("@")[0];
    const found = [error.message, ...(error.traceback ?? [])].map((text) => line_in(text, short)).find((line) => line > 0);
    if (!found || found > this.view.state.doc.lines) return;
    const line = this.view.state.doc.line(found);
    const { from } = place(this.view.state.doc, found, line.text.length - line.text.trimStart().length + 1);
    this.view.dispatch(setDiagnostics(this.view.state, [{ from, to: line.to, severity: "error", message: error.message }]));
  }

  show_calls(rows) {
    if (!rows.length) return;
    this.list.replaceChildren(make("h2", "", "Calls", make("small", "", String(rows.length))), make("div", "card", ...rows));
  }

  async run() {
    if (!this.buttons.run || this.starting) return;
    this.starting = true;
    this.printed = 0;
    this.begin("queued");
    const request = this.request();
    const { ok, value } = await ask("POST", "/v1/runs", { csrf: this.csrf, body: request });
    this.starting = false;
    if (!ok) {
      this.state("failed", "not run");
      return this.failed({ message: value.detail, hint: value.hint, traceback: value.frames }, request.name);
    }
    const open = make("a", "button", "Open the run");
    open.href = `/runs/${value.id}`;
    const stop = make("button", "danger", "Cancel");
    stop.type = "button";
    stop.addEventListener("click", async () => {
      const { ok, value: refused } = await ask("POST", `/v1/runs/${value.id}/cancel`, { csrf: this.csrf, body: {} });
      if (!ok) this.failed({ message: `not cancelled: ${told(refused)}` }, request.name);
    });
    this.actions.replaceChildren(stop, open);
    this.follow(value.id, stop, request.name);
  }

  follow(id, stop, name) {
    const events = new EventSource(`/v1/runs/${id}/events`);
    this.events = events;
    const on = (kind, then) => events.addEventListener(kind, (event) => then(JSON.parse(event.data)));
    on("state", ({ state, reason }) => this.state(state, state === "waiting" && reason ? `waiting · ${reason}` : state));
    on("output", ({ text }) => this.print(text));
    on("call", (call) => {
      this.calls.set(call.call, { ...this.calls.get(call.call), ...call });
      this.show_calls([...this.calls.values()].map((one) => {
        const outcome = one.outcome ?? "running";
        const kind = { ok: "succeeded", running: "running" }[outcome] ?? "failed";
        return make("div", "call", make("span", "name mono", one.action), make("span", `badge ${kind}`, outcome),
          make("span", "soft", one.ms === undefined || one.ms === null ? "" : `${Math.round(one.ms)} ms`));
      }));
    });
    // It comes again by itself unless the server has refused it.
    events.addEventListener("error", () => {
      if (events.readyState === EventSource.CLOSED) this.state("lost", "connection lost");
    });
    on("end", ({ state, error }) => {
      events.close();
      stop.remove();
      this.state(state);
      if (error) this.failed(error, name);
    });
  }

  async dryRun() {
    if (!this.buttons.dry || this.starting) return;
    this.starting = true;
    this.printed = 0;
    this.begin("dry run");
    const { labels, ...request } = this.request();
    const { ok, value } = await ask("POST", "/v1/runs/dry-run", { csrf: this.csrf, body: request });
    this.starting = false;
    if (!ok) {
      this.state("failed", "not run");
      return this.failed({ message: told(value), traceback: value.frames }, request.name);
    }
    this.state(value.state, `dry run ${value.state}`);
    this.print(value.output);
    if (value.error) this.failed(value.error, request.name);
    this.show_calls(value.calls.map((call) => make("div", "call planned",
      make("span", "name mono", call.action), make("code", "", call.params),
      make("span", "soft", `gets ${call.answer}, ${call.from}`))));
    if (!value.calls.length) this.list.replaceChildren(make("p", "soft", "It calls nothing."));
  }
}
