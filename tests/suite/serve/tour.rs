//! Every page in a real browser: at two widths, dark and light, nothing is cut off or hard to read, and nothing complains;
//! and the journal of a run, which a slider goes through.

use kael_tests::{Kael, Need, needs};
use serde_json::{Value, json};

use super::Server;
use super::browser::{Browser, WIDTHS};

/// Every text with too little contrast to what is behind it: 4.5, as WCAG 2 has it.
const FAINT: &str = r#"(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = (above, below) => [0, 1, 2].map((at) => (above[at] * above[3]) / 255 + below[at] * (1 - above[3] / 255));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const found = new Set();
  const walk = (root) => {
    const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    while (nodes.nextNode()) {
      const node = nodes.currentNode;
      // The editor has a root of its own.
      if (node.shadowRoot) walk(node.shadowRoot);
      const element = node.parentElement;
      if (node.nodeType !== Node.TEXT_NODE || !element || !node.data.trim() || !element.checkVisibility() || element.closest("svg, option, script, noscript, style")) continue;
      const below = behind(element);
      const [more, less] = [light(over(parse(getComputedStyle(element).color), below)), light(below)].sort((one, other) => other - one);
      const contrast = (more + 0.05) / (less + 0.05);
      if (contrast < 4.5) found.add(`${contrast.toFixed(2)} ${element.tagName}.${element.className}: ${node.data.trim().slice(0, 40)}`);
    }
  };
  walk(document.body);
  return [...found];
})()"#;

/// A server with something on each page.
fn furnished() -> (Server, Vec<String>) {
    let policy = "version: 1\ndefault: allow\nrules:\n  - approve: t.ok\n    when: { app: web }\n    within: 24h\n    reason: a person looks\n";
    let kael = Kael::new()
        .shell(
            "ok",
            "description = 'Says ok.', params = { app = 'string' }",
            "echo '{\"up\":true}'",
        )
        .file("actions/policy.yaml", policy);
    let server = Server::owning(kael);
    let long = "a-very-long-name-of-a-script-that-somebody-has-made-because-names-are-free-and-break-pages.lua";
    let shows = "print('first') report.table({ { host = 'a', load = 0.4 } }, nil, { title = 'Hosts' })
        report.chart('line', { { x = 1, y = 3 }, { x = 2, y = 5 } }, { x = 'x', title = 'Requests' })
        actions.t.ok({ app = 'other' }) local function f(n) error('no ' .. n) end f(string.rep('x', 200))";
    let run = |body: Value| {
        let run = server.post("/v1/runs", &body).is(202).json();
        run["id"].as_str().expect("an id").to_owned()
    };
    let failed = run(
        json!({ "script": shows, "name": long, "labels": { "team": "web", "env": "production" }, "args": ["--since", "7d"] }),
    );
    server.ended(&failed);
    let asks = run(json!({ "script": "actions.t.ok({ app = 'web' })", "name": "asks.lua" }));
    let waits = run(json!({ "script": "print('x') wait_for('go')", "name": "waits.lua" }));
    for (run, state) in [(&asks, "waiting"), (&waits, "waiting")] {
        let until = std::time::Instant::now() + super::PATIENCE;
        while server.get(&format!("/v1/runs/{run}")).json()["state"] != state {
            assert!(std::time::Instant::now() < until);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    server.store("nightly", "print(1)");
    let plan = json!({ "cron": "0 18 * * 1-5", "zone": "Europe/Berlin", "script": "nightly@1" });
    server.put("/v1/schedules/rush", &plan).is(200);
    server
        .put(
            "/v1/secrets/github%2Fdeploy",
            &json!({ "value": "0123456789" }),
        )
        .is(204);
    server
        .post(
            "/v1/hooks",
            &json!({ "name": "deploys", "script": "nightly" }),
        )
        .is(201);
    let pages = [
        "/runs".to_owned(),
        "/runs?state=parked".to_owned(),
        "/runs/new".to_owned(),
        format!("/runs/{failed}"),
        format!("/runs/{asks}"),
        format!("/runs/{waits}"),
        format!("/runs/{failed}/journal?at=3"),
        "/approvals".to_owned(),
        "/scripts".to_owned(),
        "/scripts/nightly".to_owned(),
        "/schedules".to_owned(),
        "/schedules/rush".to_owned(),
        "/webhooks".to_owned(),
        "/catalog".to_owned(),
        "/alerts".to_owned(),
        "/secrets".to_owned(),
        "/tokens".to_owned(),
        "/audit".to_owned(),
        "/tenants".to_owned(),
    ];
    (server, pages.to_vec())
}

#[test]
fn every_page_is_whole_and_readable_at_both_widths() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let (server, pages) = furnished();
    let mut browser = Browser::signed_in(&server, &server.token);
    for width in WIDTHS {
        for is_dark in [false, true] {
            browser.look(width, is_dark);
            for path in &pages {
                browser.open(&format!("http://{}{path}", server.address));
                assert_eq!(browser.overflow(), 0, "{path} at {width}");
                if browser.eval("document.querySelector('textarea#script') !== null") == true {
                    browser.until("document.documentElement.dataset.editor === 'ready'");
                    browser.until("document.querySelector('.editor').shadowRoot.querySelector('.cm-lineNumbers').innerText !== ''");
                }
                assert_eq!(browser.eval(FAINT), json!([]), "{path}, dark: {is_dark}");
                let shade = if is_dark { "dark" } else { "light" };
                browser.picture(&format!(
                    "{}-{width}-{shade}",
                    path.replace(['/', '?', '='], "_")
                ));
            }
        }
    }
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn pages_are_gone_through_by_keyboard() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let (server, pages) = furnished();
    let mut browser = Browser::signed_in(&server, &server.token);
    for width in WIDTHS {
        browser.look(width, false);
        for path in &pages {
            browser.open(&format!("http://{}{path}", server.address));
            // The first stop leads past the list of pages.
            browser.press("Tab", "");
            assert_eq!(
                browser.eval("document.activeElement.className"),
                "skip",
                "{path}"
            );
            browser.press("Enter", "");
            browser.until("location.hash === '#content'");
            // What has the focus shows it, and is seen.
            let here = "document.querySelector('main')";
            for _ in 0..4 {
                browser.press("Tab", "");
                let stop = browser.eval(&format!(
                    "(() => {{ const at = document.activeElement; if (!{here}.contains(at) || at.tagName === 'MAIN') return 'none';
                       const style = getComputedStyle(at); const box = at.getBoundingClientRect();
                       return style.outlineStyle !== 'none' || at.className === 'editor' ? box.width > 0 ? 'seen' : 'hidden' : at.outerHTML.slice(0, 200); }})()"
                ));
                assert!(stop == "seen" || stop == "none", "{path}: {stop}");
            }
        }
    }
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn a_slider_goes_through_the_journal_of_a_run() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let kael = Kael::new().shell("ok", "params = { app = 'string' }", "echo '{\"up\":true}'");
    let server = Server::owning(kael);
    let script = "local function look(app)\n  local told = 'looks at ' .. app\n  print(told)\n  local done = actions.t.ok({ app = app })\n  return done\nend\nlook('web')\nprint('<b>end</b>')\n";
    let run = server.post("/v1/runs", &json!({ "script": script, "name": "look.lua" }));
    let run = run.is(202).json()["id"].as_str().expect("an id").to_owned();
    server.ended(&run);
    let mut browser = Browser::signed_in(&server, &server.token);
    for (width, is_dark) in [(1280, false), (390, true)] {
        browser.look(width, is_dark);
        browser.open(&format!("http://{}/runs/{run}", server.address));
        let last = browser.eval("document.querySelector('#at').max");
        let last: u64 = last
            .as_str()
            .and_then(|last| last.parse().ok())
            .expect("a number");
        browser.eval("document.querySelector('#at').focus()");
        browser.press("Home", "");
        browser.until(
            "document.querySelector('#moment .entry')?.innerText.includes('look.lua begins')",
        );
        // One entry after the other, by the arrow key.
        let mut seen = false;
        for at in 1..=last {
            browser.press("ArrowRight", "");
            browser.until(&format!(
                "document.querySelector('output').textContent === '{at} of {last}'"
            ));
            browser.until(&format!(
                "document.querySelector('#moment .entry').innerText.includes('entry {at},')"
            ));
            let moment = browser.eval("document.getElementById('moment').innerText");
            let moment = moment.as_str().expect("a text");
            if moment.contains("t.ok is about to run") {
                seen = true;
                let variables = browser.eval("[...document.querySelectorAll('#moment tr')].map((row) => [...row.children].map((one) => one.innerText))");
                let row = json!(["told", "\"looks at web\""]);
                assert!(
                    variables.as_array().is_some_and(|rows| rows.contains(&row)),
                    "{variables}"
                );
                assert!(
                    moment.contains("look.lua:4: in function <look.lua:1>"),
                    "{moment}"
                );
                assert!(
                    moment.contains("looks at web") && moment.contains("told"),
                    "{moment}"
                );
                let line =
                    browser.eval("document.querySelector('#moment .excerpt b.at').innerText");
                assert!(
                    line.as_str()
                        .expect("a line")
                        .contains("local done = actions.t.ok"),
                    "{line}"
                );
                assert_eq!(browser.overflow(), 0, "{width}");
                browser.picture(&format!("journal-{width}"));
            }
        }
        assert!(seen, "no entry of the call");
        assert!(
            browser
                .eval("document.querySelector('#moment .log').innerText")
                .as_str()
                .expect("a text")
                .contains("<b>end</b>")
        );
        assert_eq!(browser.eval("document.activeElement.id"), "at");
    }
    // A look that fails leaves nothing busy.
    browser.eval("(() => { window.fetch = () => { window.looked = document.getElementById('moment').ariaBusy; return Promise.reject(new TypeError('no network')); }; })()");
    browser.press("Home", "");
    browser.until("window.looked === 'true'");
    browser.until("!document.getElementById('moment').hasAttribute('aria-busy')");
    assert_eq!(browser.complaints, [""; 0]);
    // Without JavaScript the button leads to the same.
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        json!({ "value": true }),
    );
    browser.open(&format!("http://{}/runs/{run}", server.address));
    browser.eval("document.querySelector('.slider button').focus()");
    browser.press("Enter", "");
    browser.until(
        "location.pathname.endsWith('/journal') && document.querySelector('#moment .entry')",
    );
    // Another tenant has no such page.
    server.make_tenant("other", &json!({}));
    let other = server.make_token("other", "manager");
    super::page::enter(&server, &other)
        .get(&format!("/runs/{run}/journal?at=1"))
        .is(404);
}

#[test]
fn the_page_of_a_run_follows_it_to_its_end() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = Server::owning(Kael::new());
    let script = "print('before') print(wait_for('go', { timeout = '2d' }).by)";
    let run = server.post(
        "/v1/runs",
        &json!({ "script": script, "name": "waits.lua" }),
    );
    let run = run.is(202).json()["id"].as_str().expect("an id").to_owned();
    let mut browser = Browser::signed_in(&server, &server.token);
    browser.open(&format!("http://{}/runs/{run}", server.address));
    browser.until("document.querySelector('.head .badge').textContent === 'waiting'");
    browser.until("document.getElementById('log').textContent === 'before\\n'");
    browser.until("document.getElementById('facts').innerText.includes('the signal `go`')");
    browser.until("document.getElementById('facts').innerText.includes('Until')");
    server
        .post(
            &format!("/v1/runs/{run}/signals/go"),
            &json!({ "payload": { "by": "ann" } }),
        )
        .is(202);
    browser.until("document.querySelector('.head .badge').textContent === 'succeeded'");
    browser.until("document.getElementById('log').textContent === 'before\\nann\\n'");
    // The slider reaches to the end that the journal has now.
    let last = server
        .get(&format!("/v1/runs/{run}/at/last"))
        .is(200)
        .json();
    browser.until(&format!(
        "document.querySelector('#at')?.max === '{}'",
        last["last"]
    ));
    browser.eval("document.querySelector('#at').focus()");
    browser.press("Home", "");
    browser
        .until("document.querySelector('#moment .entry')?.innerText.includes('waits.lua begins')");
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn the_page_of_a_run_shows_it_as_it_is_when_its_events_are_refused() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let server = Server::owning(Kael::new());
    let run = server.submit("print(wait_for('go'))");
    let mut browser = Browser::signed_in(&server, &server.token);
    // Events that never come, until the test says that they were refused.
    let source = "window.EventSource = class extends EventTarget {
        static CLOSED = 2; readyState = 0;
        constructor() { super(); window.refuse = () => { this.readyState = 2; this.dispatchEvent(new Event('error')); }; }
        close() {} };";
    browser.call(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": source }),
    );
    browser.open(&format!("http://{}/runs/{run}", server.address));
    server
        .post(
            &format!("/v1/runs/{run}/signals/go"),
            &json!({ "payload": 1 }),
        )
        .is(202);
    assert_eq!(server.ended(&run)["state"], "succeeded");
    browser.eval("window.refuse()");
    browser.until("document.getElementById('facts').innerText.includes('succeeded')");
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn an_approval_shows_what_differs_from_the_last_one_and_is_given_by_keyboard() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let policy = "version: 1\ndefault: allow\nrules:\n  - approve: t.scale\n    when: { replicas: { over: 10 } }\n    within: 24h\n    reason: they cost money\n";
    let kael = Kael::new()
        .shell(
            "scale",
            "params = { app = 'string', replicas = 'integer', force = 'boolean?' }",
            "cat",
        )
        .file("actions/policy.yaml", policy);
    let server = Server::owning(kael);
    let mut browser = Browser::signed_in(&server, &server.token);
    for (width, params) in [
        (1280, "app = 'web', replicas = 12"),
        (390, "app = 'web', replicas = 20, force = true"),
    ] {
        browser.look(width, width == 390);
        let run = server.submit(&format!("print(actions.t.scale({{ {params} }}).replicas)"));
        browser.open(&format!("http://{}/approvals", server.address));
        browser.until("document.querySelector('.ask')?.innerText.includes('they cost money')");
        let differ = browser.eval("[...document.querySelectorAll('.ask .differs')].map((row) => row.innerText.split(/\\s+/).join(' '))");
        match width {
            1280 => assert_eq!(differ, json!([])),
            _ => assert_eq!(differ, json!(["force true –", "replicas 20 12"])),
        }
        assert_eq!(browser.overflow(), 0, "{width}");
        assert_eq!(browser.eval(FAINT), json!([]), "{width}");
        browser.picture(&format!("approval-{width}"));
        // From the note with Tab to the button.
        browser.eval("document.querySelector('.ask [name=note]').focus()");
        browser.types("sale");
        browser.press("Tab", "");
        assert_eq!(browser.eval("document.activeElement.innerText"), "Approve");
        browser.press("Enter", "");
        browser.until("location.pathname.startsWith('/runs/')");
        assert_eq!(server.ended(&run)["state"], "succeeded");
    }
    assert_eq!(browser.complaints, [""; 0]);
}
