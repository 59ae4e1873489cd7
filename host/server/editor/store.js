// Stores the text as a new version, unless somebody else has stored one meanwhile.
import { ask, make, told } from "./ask.js";

export class Store {
  constructor(form, field, text) {
    Object.assign(this, { form, field, text, csrf: field.dataset.csrf, kept: form.hasAttribute("data-changed") ? null : text() });
    this.button = form.querySelector("[data-store]");
    this.said = document.getElementById("said");
    this.version = Number(form.elements.version?.value ?? 0);
    this.name = form.dataset.name ?? "";
    if (!this.button) return;
    this.shown = Number(form.dataset.shown ?? this.version);
    this.button.addEventListener("click", (event) => {
      event.preventDefault();
      this.store();
    });
    addEventListener("beforeunload", (event) => {
      if (this.is_changed() && !this.leaves) event.preventDefault();
    });
    form.addEventListener("submit", () => { this.leaves = true; });
  }

  is_changed() {
    return this.text() !== this.kept;
  }

  // The version that the text is, if it is one.
  stored() {
    return this.name && this.version && !this.is_changed() ? `${this.name}@${this.shown}` : null;
  }

  changed() {
    if (!this.button || !this.name) return;
    const is_changed = this.is_changed();
    if (is_changed === this.was_changed) return;
    this.was_changed = is_changed;
    document.getElementById("unstored")?.toggleAttribute("hidden", !is_changed);
  }

  say(kind, ...parts) {
    this.said.className = `note ${kind}`;
    this.said.replaceChildren(...parts);
    this.said.hidden = false;
  }

  async store(over = null) {
    if (!this.button || this.busy) return;
    const name = this.name || this.form.elements.name.value.trim();
    if (!this.form.reportValidity()) return;
    this.busy = true;
    const text = this.text();
    const headers = this.name ? { "If-Match": `"${over ?? this.version}"` } : { "If-None-Match": "*" };
    const path = `/v1/scripts/${encodeURIComponent(name)}`;
    const { ok, status, value } = await ask("PUT", path, { csrf: this.csrf, headers, body: { script: text } });
    this.busy = false;
    if (ok) {
      this.kept = text;
      if (!this.name) {
        this.leaves = true;
        location.assign(`/scripts/${encodeURIComponent(name)}`);
        return;
      }
      this.version = this.shown = value.version;
      this.form.elements.version.value = value.version;
      this.button.textContent = `Store as version ${value.version + 1}`;
      this.changed();
      await this.refresh();
      this.say("", `Stored as version ${value.version}.`);
    } else if (status === 412 && this.name) {
      await this.conflict(path);
    } else {
      this.say("bad", told(value));
    }
  }

  // The parts of the page that tell of versions, as they are now.
  async refresh() {
    const answer = await fetch(location.pathname).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["shown", "versions"]) {
      const part = fresh.getElementById(id);
      if (part) document.getElementById(id)?.replaceWith(document.adoptNode(part));
    }
  }

  async conflict(path) {
    const { ok, value } = await ask("GET", path, { csrf: this.csrf });
    if (!ok) return this.say("bad", told(value));
    const show = make("a", "button", `Show version ${value.version}`);
    Object.assign(show, { href: `/scripts/${encodeURIComponent(this.name)}?version=${value.version}`, target: "_blank", rel: "noopener" });
    const over = make("button", "danger", `Store over version ${value.version}`);
    over.type = "button";
    over.addEventListener("click", () => this.store(value.version));
    const what = `${value.by} has stored version ${value.version} since you began with version ${this.version}. Your text is still here.`;
    this.say("bad", make("p", "", what), make("div", "row", show, over));
    // The focus stays in the text: a version of another person is not one key away from its end.
    this.said.scrollIntoView({ block: "nearest" });
  }
}
