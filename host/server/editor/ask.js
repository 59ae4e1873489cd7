// One request to the server. `value` is its document: a result, or the problem that it names.
export async function ask(method, path, { csrf, body, headers } = {}) {
  try {
    const answer = await fetch(path, {
      method,
      headers: { "X-Kael-CSRF": csrf, ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
      body: body && JSON.stringify(body),
    });
    const value = await answer.json().catch(() => ({ detail: `the server answered with ${answer.status}` }));
    return { ok: answer.ok, status: answer.status, value };
  } catch {
    return { ok: false, status: 0, value: { detail: "the server cannot be reached", hint: "your text is still here" } };
  }
}

// What a problem says, for people.
export const told = ({ detail, hint }) => (hint ? `${detail} — ${hint}` : detail);

// An element with a class and what is in it. Texts never become markup.
export function make(name, className, ...parts) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...parts.filter((part) => part !== null && part !== undefined));
  return element;
}
