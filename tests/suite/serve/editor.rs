//! The editor of the pages with a script, in a real browser and by keyboard.

use std::process::Command;

use kael_tests::{Kael, Need, needs, project};
use serde_json::json;

use super::Server;
use super::browser::{Browser, WIDTHS};

/// The part of the editor that has the text.
const CONTENT: &str = "document.querySelector('.editor').shadowRoot.querySelector('.cm-content')";

fn start() -> Server {
    // The name of the second action, and of its parameters, are no names of Lua.
    let repo = "local function shell(fields)
  fields.source, fields.entrypoint, fields.executor = '../impl', 'ok.sh', 'native'
  return define_action(fields)
end
return {
  t = { ok = shell { description = 'Says ok to an app. <i onclick=x>no markup</i>', example = { up = true },
    params = { app = 'string', force = 'boolean?', ['a(b'] = 'string?' } } },
  ['my-tool'] = { run = shell { params = { ['c++'] = 'string', ['{x}'] = 'string', ['end'] = 'integer?' } } },
}
";
    let kael = Kael::new()
        .program("impl/ok.sh", "#!/bin/sh\necho '{\"up\":true}'\n")
        .file("actions/init.lua", repo)
        .env("KAEL_ACTIONS", "actions");
    Server::owning(kael)
}

impl Browser {
    /// Waits for the editor, and takes the focus there.
    fn edit(&mut self) {
        self.until("document.documentElement.dataset.editor === 'ready'");
        self.eval(&format!("{CONTENT}.focus()"));
    }

    /// Has this text in the editor instead of what is there.
    fn write(&mut self, text: &str) {
        self.press("a", "Control");
        self.types(text);
    }

    /// Takes what is chosen in the list of completions.
    fn take(&mut self) {
        let list = "document.querySelector('.editor').shadowRoot";
        self.until(&format!("{list}.querySelector('li[aria-selected=true]')"));
        // The list takes no key in its first moment, in which one may be typed for the text: that is over.
        self.eval("(() => { const now = Date.now; Date.now = () => now() + 1000; })()");
        self.press("Enter", "");
    }

    /// What the part that shows a trial says, once it is in a state.
    fn trial(&mut self, state: &str) -> String {
        self.until(&format!(
            "document.getElementById('trial').dataset.state === '{state}'"
        ));
        let text = self.eval("document.getElementById('trial').innerText");
        text.as_str().expect("a text").to_owned()
    }
}

#[test]
fn a_script_is_checked_run_and_stored_by_keyboard() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = start();
    server.store("nightly", "print('one')\n");
    let mut browser = Browser::signed_in(&server, &server.token);
    for (width, is_dark) in [(1280, false), (390, true)] {
        browser.look(width, is_dark);
        browser.open(&format!("http://{}/scripts/nightly", server.address));
        browser.edit();
        assert_eq!(browser.overflow(), 0, "{width}");
        assert_eq!(
            browser.eval("getComputedStyle(document.getElementById('script')).display"),
            "none"
        );
        // What is wrong, at its place, while it is typed.
        browser.write("local a = 1\nprnt(a)");
        browser.until("document.getElementById('problems').innerText.includes('line 2')");
        browser.until("document.querySelector('.editor').shadowRoot.querySelector('.cm-lintRange-error')?.textContent === 'prnt'");
        browser.picture(&format!("editor-problem-{width}"));
        // The text as it is runs, and its output comes into the same page.
        browser.write(
            "for i = 1, 3 do print('line ' .. i) end\nprint(actions.t.ok({ app = 'web' }).up)",
        );
        browser.press("Enter", "Control");
        let shown = browser.trial("succeeded");
        assert!(
            shown.contains("line 3\ntrue") && shown.contains("t.ok"),
            "{shown}"
        );
        assert_eq!(browser.eval("location.pathname"), "/scripts/nightly");
        browser.picture(&format!("editor-run-{width}"));
        assert_eq!(browser.overflow(), 0, "{width}");
        browser.press("Enter", "Control+Shift");
        browser.until("document.getElementById('trial').innerText.includes('dry run succeeded')");
        let dry = browser.eval("document.getElementById('trial').innerText");
        let dry = dry.as_str().expect("a text");
        assert!(
            dry.contains("{\"app\":\"web\"") && dry.contains("example"),
            "{dry}"
        );
        browser.picture(&format!("editor-dry-{width}"));
        // An error is marked at its line.
        browser.write("print('x')\nerror('no luck')");
        browser.press("Enter", "Control");
        let failed = browser.trial("failed");
        assert!(failed.contains("no luck"), "{failed}");
        browser.until("document.querySelector('.editor').shadowRoot.querySelector('.cm-lintRange-error')?.textContent.includes('no luck')");
    }
    assert_eq!(browser.complaints, [""; 0]);
    // Nothing of it was stored.
    assert_eq!(
        server.get("/v1/scripts/nightly").is(200).json()["version"],
        1
    );
}

/// Lua names a long name by its end.
#[test]
fn an_error_is_marked_in_a_script_with_a_long_name() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = start();
    let long = "the-report-of-all-that-was-and-of-what-may-come-in-the-next-year";
    server.store(long, "print('x')\nerror('no luck')");
    let mut browser = Browser::signed_in(&server, &server.token);
    browser.open(&format!("http://{}/scripts/{long}", server.address));
    browser.edit();
    browser.press("Enter", "Control");
    let failed = browser.trial("failed");
    assert!(
        failed.contains("no luck")
            && failed.contains("...")
            && !failed.contains(&format!("{long}:")),
        "{failed}"
    );
    browser.until("document.querySelector('.editor').shadowRoot.querySelector('.cm-lintRange-error')?.textContent.includes('no luck')");
    assert_eq!(browser.complaints, [""; 0]);
}

/// The editor of a new run; none without a browser. The server ends when it is dropped.
fn editing() -> Option<(Server, Browser)> {
    if !needs(&[Need::Chromium]) {
        return None;
    }
    let server = start();
    let mut browser = Browser::signed_in(&server, &server.token);
    browser.open(&format!("http://{}/runs/new", server.address));
    browser.edit();
    Some((server, browser))
}

#[test]
fn a_trial_says_when_its_events_are_refused_and_when_it_is_not_cancelled() {
    let Some((_server, mut browser)) = editing() else {
        return;
    };
    // The events are those of a run that is not there.
    browser.eval("(() => { const Real = EventSource; window.EventSource = class extends Real { constructor() { super('/v1/runs/none/events'); } }; })()");
    browser.write("print(wait_for('go'))");
    browser.press("Enter", "Control");
    let shown = browser.trial("lost");
    assert!(shown.contains("connection lost"), "{shown}");
    // The server refuses the cancellation: its `X-Kael-CSRF` is wrong.
    browser.eval("(() => { const ask = window.fetch; window.fetch = (path, options) => ask(path, path.endsWith('/cancel') ? { ...options, headers: { ...options.headers, 'X-Kael-CSRF': 'wrong' } } : options); })()");
    browser.eval("[...document.querySelectorAll('#trial button')].find((one) => one.innerText === 'Cancel').click()");
    browser.until("document.getElementById('trial').innerText.includes('not cancelled: ')");
    let refused = |complaint: &String| {
        complaint.contains("status of 404") || complaint.contains("status of 403")
    };
    assert!(
        browser.complaints.iter().all(refused),
        "{:?}",
        browser.complaints
    );
}

#[test]
fn a_version_is_stored_and_no_version_of_another_person_is_lost() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = start();
    server.store("nightly", "print('one')\n");
    let mut browser = Browser::signed_in(&server, &server.token);
    browser.open(&format!("http://{}/scripts/nightly", server.address));
    browser.edit();
    browser.write("print('two')");
    browser.until("!document.getElementById('unstored').hidden");
    browser.press("s", "Control");
    browser.until("document.getElementById('said').innerText === 'Stored as version 2.'");
    let stored = server.get("/v1/scripts/nightly").is(200).json();
    assert_eq!(
        (&stored["version"], &stored["script"]),
        (&json!(2), &json!("print('two')"))
    );
    assert_eq!(
        browser.eval("document.getElementById('unstored').hidden"),
        true
    );
    browser.until("document.querySelectorAll('#versions tbody tr').length === 2");
    assert_eq!(browser.complaints, [""; 0]);
    // Another person stores a version meanwhile.
    server.store("nightly", "print('theirs')");
    browser.edit();
    browser.write("print('mine')");
    browser.press("s", "Control");
    browser.until("document.getElementById('said').innerText.includes('has stored version 3 since you began with version 2')");
    browser.picture("editor-conflict");
    assert_eq!(
        server.get("/v1/scripts/nightly").is(200).json()["script"],
        "print('theirs')"
    );
    // A key still goes into the text, and not to the button that stores all the same.
    browser.press("Enter", "");
    browser.types("-- more");
    let text = browser.eval(&format!("{CONTENT}.innerText"));
    let text = text.as_str().expect("a text");
    assert!(text.contains("-- more"), "{text}");
    assert_eq!(
        server.get("/v1/scripts/nightly").is(200).json()["version"],
        3
    );
    browser.eval("[...document.querySelectorAll('#said button')].find((one) => one.innerText === 'Store over version 3').focus()");
    browser.press("Enter", "");
    browser.until("document.getElementById('said').innerText === 'Stored as version 4.'");
    assert_eq!(
        server.get("/v1/scripts/nightly").is(200).json()["script"],
        "print('mine')\n-- more"
    );
    // What is no Lua is not stored.
    browser.edit();
    browser.write("x = =");
    browser.press("s", "Control");
    browser.until("document.getElementById('said').className.includes('bad')");
    assert_eq!(
        server.get("/v1/scripts/nightly").is(200).json()["version"],
        4
    );
    let network = |complaint: &String| {
        complaint.contains("status of 412") || complaint.contains("status of 422")
    };
    assert!(
        browser.complaints.iter().all(network),
        "{:?}",
        browser.complaints
    );
    // A new one.
    browser.complaints.clear();
    // Who leaves a text that is not stored is asked.
    assert_eq!(browser.asked_to_stay, 0);
    browser.open(&format!("http://{}/scripts", server.address));
    assert_eq!(browser.asked_to_stay, 1);
    browser.edit();
    browser.eval("document.getElementById('name').focus()");
    browser.types("fresh");
    browser.press("s", "Control");
    browser.until("location.pathname === '/scripts/fresh'");
    assert_eq!(server.get("/v1/scripts/fresh").is(200).json()["version"], 1);
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn names_are_completed_and_the_keyboard_gets_out_again() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = start();
    let mut browser = Browser::signed_in(&server, &server.token);
    for width in WIDTHS {
        browser.look(width, width == 390);
        browser.open(&format!("http://{}/runs/new", server.address));
        browser.edit();
        let options = "[...document.querySelector('.editor').shadowRoot.querySelectorAll('.cm-tooltip-autocomplete li')].map((one) => one.innerText).join('\\n')";
        let doc = format!("{CONTENT}.innerText");
        browser.write("local done = actions.t.");
        browser.until(&format!("{options}.includes('t.ok')"));
        // What it does stands beside it.
        browser.until("document.querySelector('.editor').shadowRoot.querySelector('.cm-completionInfo')?.innerText.includes('Says ok to an app.')");
        browser.until("document.querySelector('.editor').shadowRoot.querySelector('.cm-completionInfo').innerText.includes('<i onclick=x>no markup</i>')");
        browser.picture(&format!("editor-complete-{width}"));
        assert_eq!(browser.overflow(), 0, "{width}");
        browser.take();
        browser.until(&format!("{doc}.includes('actions.t.ok({{ app = app }})')"));
        // What is no name of Lua stands in brackets, without the dot.
        browser.write("actions.my");
        browser.until(&format!("{options}.includes('my-tool.run')"));
        browser.take();
        let called = r#"actions["my-tool"].run({ ["c++"] = , ["{x}"] =  })"#;
        browser.until(&format!("{doc}.includes({})", json!(called)));
        browser.write("actions[\"my-tool\"].run({ e");
        browser.until(&format!("{options}.startsWith('end')"));
        browser.take();
        browser.until(&format!("{doc}.includes('run({{ [\"end\"] = ')"));
        browser.write("actions.t.ok({ app = 'a', a");
        browser.until(&format!("{options}.startsWith('a(b')"));
        browser.take();
        browser.until(&format!("{doc}.includes('[\"a(b\"] = ')"));
        browser.types("'x', a");
        browser.until(&format!("{options}.includes('actions')"));
        assert_eq!(browser.eval(&format!("{options}.includes('a(b')")), false);
        // A parameter that is not written yet.
        browser.write("actions.t.ok({ app = 'a', fo");
        browser.until(&format!("{options}.includes('force')"));
        assert_eq!(browser.eval(&format!("{options}.includes('app')")), false);
        // A global with what it is.
        browser.write("json.en");
        browser.until(&format!("{options}.includes('json.encode(value)')"));
        browser.press("Escape", "");
        browser.until(&format!("{options} === ''"));
        // Tab indents, and leaves behind Escape.
        browser.press("Tab", "");
        assert_eq!(browser.eval("document.activeElement.className"), "editor");
        browser.press("Escape", "");
        browser.press("Tab", "");
        assert_ne!(browser.eval("document.activeElement.className"), "editor");
    }
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn problems_stay_while_the_server_does_not_answer_and_late_answers_are_passed_over() {
    let Some((_server, mut browser)) = editing() else {
        return;
    };
    // Each check is answered when the test says so: by the server, or by a failure of one kind.
    browser.eval(
        "(() => { const ask = window.fetch; window.checks = [];
           window.fetch = (path, options) => path !== '/v1/runs/check' ? ask(path, options) : new Promise((then, fail) => {
             const text = JSON.parse(options.body).script;
             window.checks.push({ text, let: () => ask(path, options).then(then), refuse: () => then(new Response('{}', { status: 401 })), lose: () => fail(new TypeError('no network')) });
           });
           window.check = (text) => window.checks.find((one) => one.text === text); })()",
    );
    let listed = "document.getElementById('problems').innerText";
    let marked = "document.querySelector('.editor').shadowRoot.querySelector('.cm-lintRange-error')?.textContent";
    browser.write("prnt(1)");
    browser.until("window.check('prnt(1)')");
    browser.eval("window.check('prnt(1)').let()");
    browser.until(&format!("{listed}.includes('prnt')"));
    for (text, answer) in [("prnt(12)", "refuse"), ("prnt(123)", "lose")] {
        browser.write(text);
        browser.until(&format!("window.check('{text}')"));
        browser.eval(&format!("window.check('{text}').{answer}()"));
        // The editor has taken the answer in: it shows again what it knows.
        browser.until(&format!("{marked} === 'prnt'"));
        let said = browser.eval(listed);
        assert!(
            said.as_str().expect("a text").contains("line 1: "),
            "{said}"
        );
    }
    // The answer to an older text comes after the one to the newer text.
    browser.write("olde(1)");
    browser.until("window.check('olde(1)')");
    browser.write("newe(1)");
    browser.until("window.check('newe(1)')");
    browser.eval("window.check('newe(1)').let()");
    browser.until(&format!("{listed}.includes('newe')"));
    browser.eval("window.check('olde(1)').let()");
    browser.eval("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)))");
    let said = browser.eval(listed);
    assert!(said.as_str().expect("a text").contains("newe"), "{said}");
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn without_javascript_the_field_does_the_same() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = start();
    server.store("nightly", "print('one')\n");
    let mut browser = Browser::signed_in(&server, &server.token);
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        json!({ "value": true }),
    );
    browser.look(390, false);
    browser.open(&format!("http://{}/scripts/nightly", server.address));
    assert_ne!(
        browser.eval("getComputedStyle(document.getElementById('script')).display"),
        "none"
    );
    assert_eq!(
        browser.eval("document.querySelectorAll('.editor').length"),
        0
    );
    assert_eq!(
        browser.eval("document.querySelector('[data-run-text]').checkVisibility()"),
        false
    );
    assert_eq!(browser.overflow(), 0);
    browser.eval("document.getElementById('script').focus()");
    browser.press("a", "Control");
    browser.eval("document.getElementById('script').select()");
    browser.types("print('by hand')");
    browser.press("Tab", "");
    browser.press("Enter", "");
    browser.until("document.body.innerText.includes('version 2 by')");
    let stored = server.get("/v1/scripts/nightly").is(200).json();
    assert_eq!(stored["script"], "print('by hand')");
}

#[test]
fn only_pages_with_a_script_load_the_editor() {
    let server = start();
    server.store("nightly", "print('one')\n");
    let page = super::page::enter(&server, &server.token);
    for (path, loads) in [
        ("/scripts/nightly", true),
        ("/scripts", true),
        ("/runs/new", true),
        ("/runs", false),
        ("/approvals", false),
        ("/schedules", false),
        ("/catalog", false),
    ] {
        let body = page.get(path).is(200).body;
        assert_eq!(body.contains("/assets/editor.js"), loads, "{path}");
    }
    // A browser that has it is not sent it again.
    let editor = server.send("GET", "/assets/editor.js", &[], "").is(200);
    let tag = editor.header("etag").expect("a tag");
    let again = server.send("GET", "/assets/editor.js", &[("If-None-Match", tag)], "");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = server.send(
        "GET",
        "/assets/editor.js",
        &[("If-None-Match", "\"x\"")],
        "",
    );
    assert!(other.is(200).body == editor.body);
    let licences = server
        .send("GET", "/assets/editor.licenses.txt", &[], "")
        .is(200)
        .body;
    for package in ["@codemirror/view", "@lezer/common", "style-mod", "MIT"] {
        assert!(licences.contains(package), "{package}");
    }
}

#[test]
fn the_editor_is_what_its_source_makes() {
    if !needs(&[Need::Npm]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let source = folder.path().join("editor");
    for folder in [&out, &source] {
        std::fs::create_dir(folder).expect("a folder");
    }
    for file in std::fs::read_dir(project("host/server/editor")).expect("a folder") {
        let file = file.expect("a file");
        if file.file_type().expect("a kind").is_file() {
            std::fs::copy(file.path(), source.join(file.file_name())).expect("a copy");
        }
    }
    let built = Command::new("sh")
        .arg(source.join("build.sh"))
        .arg(&out)
        .output();
    let built = built.expect("it runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    for name in ["editor.js", "editor.licenses.txt"] {
        let fresh = std::fs::read(out.join(name)).expect("a file");
        let kept = std::fs::read(project("host/server/src/web").join(name)).expect("a file");
        assert!(
            fresh == kept,
            "host/server/src/web/{name} is not what host/server/editor/build.sh makes"
        );
    }
}
