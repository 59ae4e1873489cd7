//! Follows docs/quickstart-server.md: writes its files, runs its commands in their order, and compares what they print.

use std::collections::BTreeMap;

use kael_tests::{Kael, Need, needs, project};

use super::browser::Browser;
use super::{PATIENCE, Server};

/// A piece of the page: a file with its path, or commands with what they print.
enum Piece {
    File(String, String),
    Commands(String),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut before = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            before = match line {
                "" => before,
                line => line,
            };
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n") + "\n";
        // "The rule of the team, `actions/policy.yaml`:" names a file.
        let path = before.rsplit('`').nth(1).filter(|path| path.contains('.'));
        match (language, path) {
            ("text", _) if block.starts_with("$ ") => pieces.push(Piece::Commands(block)),
            ("text", _) | (_, None) => {}
            (_, Some(path)) => pieces.push(Piece::File(path.to_owned(), block)),
        }
    }
    pieces
}

/// Whether a line is as the page has it; `…` stands for any text.
fn is_like(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

/// The text of the page.
fn page() -> String {
    std::fs::read_to_string(project("docs/quickstart-server.md")).expect("the page")
}

/// A folder with the files of the page.
fn folder(pieces: &[Piece]) -> Kael {
    pieces
        .iter()
        .fold(Kael::new(), |session, piece| match piece {
            Piece::File(path, content) if path.ends_with(".sh") => session.program(path, content),
            Piece::File(path, content) => session.file(path, content),
            Piece::Commands(_) => session,
        })
}

/// The steps in the browser, each with the words of the page that it follows.
#[test]
fn the_browser_leads_to_a_scheduled_approved_and_recorded_run() {
    if !needs(&[Need::Chromium]) {
        return;
    }
    let text = page();
    let (_, steps) = text.split_once("## In the browser").expect("the steps");
    let steps = steps.split_whitespace().collect::<Vec<_>>().join(" ");
    let says = |words: &str| assert!(steps.contains(words), "the page does not say: {words}");
    let pieces = pieces(&text);
    let script = pieces.iter().find_map(|piece| match piece {
        Piece::File(path, content) if path == "nightly.lua" => Some(content.clone()),
        _ => None,
    });
    let session = folder(&pieces);
    let server = Server::spawn(&session, &["--actions", "actions"]);
    let mut browser = Browser::start();
    browser.open(server.started["sign_in"].as_str().expect("a link"));
    browser.eval("document.querySelector('main button').focus()");
    browser.press("Enter", "");
    browser.until("location.pathname === '/runs'");
    let follow = |browser: &mut Browser, name: &str| {
        browser.eval(&format!("[...document.querySelectorAll('nav a')].find((one) => one.textContent === '{name}').click()"));
        browser.until(&format!("document.querySelector('h1')?.textContent === '{name}' && document.readyState === 'complete'"));
    };
    let write = |browser: &mut Browser, field: &str, text: &str| {
        browser.eval(&format!("document.getElementById('{field}').select()"));
        browser.types(text);
    };
    says("1. *Scripts*: write the name `nightly`, and the script into the editor");
    follow(&mut browser, "Scripts");
    browser.until("document.documentElement.dataset.editor === 'ready'");
    write(&mut browser, "name", "nightly");
    browser.eval("document.querySelector('label[for=script]').click()");
    browser.press("a", "Control");
    browser.types(&script.expect("the script"));
    says("**Ctrl+Shift+Enter** is a dry run: it shows the call that the script would make");
    browser.press("Enter", "Control+Shift");
    browser.until("document.getElementById('trial').innerText.includes('\"replicas\":20')");
    browser.until("document.getElementById('trial').dataset.state === 'succeeded'");
    says("**Ctrl+S** stores the script");
    browser.press("s", "Control");
    browser.until("location.pathname === '/scripts/nightly' && document.readyState === 'complete'");
    says("2. *Schedules*: make one of the name `rush`, at `0 18 * * 1-5` in `Europe/Berlin`");
    follow(&mut browser, "Schedules");
    for (field, value) in [
        ("name", "rush"),
        ("cron", "0 18 * * 1-5"),
        ("zone", "Europe/Berlin"),
        ("stored", "nightly"),
    ] {
        write(&mut browser, field, value);
    }
    browser.press("Enter", "");
    browser.until("location.pathname === '/schedules/rush'");
    says("Its page has its next ten times");
    browser.until("document.querySelectorAll('main ol li').length === 10");
    says("3. *Run now* runs it once");
    let press = |browser: &mut Browser, name: &str| {
        browser.eval(&format!("[...document.querySelectorAll('main button')].find((one) => one.textContent === '{name}').focus()"));
        browser.press("Enter", "");
    };
    press(&mut browser, "Run now");
    browser.until("location.pathname.startsWith('/runs/')");
    let run = browser.eval("location.pathname");
    let run = run.as_str().expect("a path").to_owned();
    browser.until("document.querySelector('.head .badge').textContent === 'waiting'");
    browser.until("document.getElementById('log').textContent === 'before the rush\\n'");
    says("It prints its first line, and waits for you without taking a slot");
    let running = browser.eval(
        "fetch('/v1/tenant').then((answer) => answer.json()).then((tenant) => tenant.load.running)",
    );
    assert_eq!(running, 0);
    says("End the server, and start it again: the run is still there");
    browser.open("about:blank");
    assert_eq!(server.terminate(), Some(0));
    let server = Server::spawn(&session, &["--actions", "actions"]);
    browser.open(&format!("http://{}{run}", server.address));
    browser.until("document.querySelector('.head .badge').textContent === 'waiting'");
    browser.until("document.getElementById('log').textContent === 'before the rush\\n'");
    says("4. *Approvals* shows exactly what would run, and why it asks");
    follow(&mut browser, "Approvals");
    browser.until(
        "document.querySelector('.ask').innerText.includes('more than ten replicas cost money')",
    );
    browser.eval("document.querySelector('.ask [name=note]').focus()");
    browser.types("sale tonight");
    press(&mut browser, "Approve");
    browser.until(&format!("location.pathname === '{run}'"));
    says("5. The run goes on, and prints `web has 20`");
    browser.until("document.querySelector('.head .badge').textContent === 'succeeded'");
    browser.until("document.getElementById('log').textContent.endsWith('web has 20\\n')");
    says("The slider below its output goes back to where it waited");
    browser.until("document.querySelector('#at')");
    browser.eval("document.querySelector('#at').focus()");
    browser.press("Home", "");
    let shown = "(document.querySelector('#moment .entry')?.innerText ?? '')";
    browser.until(&format!("{shown}.includes('nightly begins')"));
    let last = browser.eval("Number(document.querySelector('#at').max)");
    let waited = (1..=last.as_u64().expect("a number")).any(|at| {
        browser.press("ArrowRight", "");
        browser.until(&format!("{shown}.includes('entry {at},')"));
        let output = browser.eval("document.querySelector('#moment .log')?.textContent ?? ''");
        let asks = format!("{shown}.includes('deploy.scale')");
        output == "before the rush\n" && browser.eval(&asks) == true
    });
    assert!(waited, "no entry is where it waited");
    says("6. *Audit* has who did what");
    follow(&mut browser, "Audit");
    let record = browser.eval("document.querySelector('main').textContent");
    let record = record.as_str().expect("a text");
    for what in ["script.put", "schedule.", "call.decide", "sale tonight"] {
        assert!(record.contains(what), "{what}: {record}");
    }
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn the_page_leads_to_a_scheduled_approved_and_recorded_run() {
    let text = page();
    let pieces = pieces(&text);
    let session = folder(&pieces);
    let server = Server::spawn(&session, &["--actions", "actions"]);
    let link = server.started["sign_in"].as_str().expect("a link");
    let mut known = BTreeMap::from([
        ("LINK", link.to_owned()),
        ("ADDRESS", format!("http://{}", server.address)),
    ]);
    let mut count = 0;
    for piece in &pieces {
        let Piece::Commands(block) = piece else {
            continue;
        };
        for command in block.split("$ ").skip(1) {
            let (words, wanted) = command.split_once('\n').expect("a line");
            let filled = |text: &str| {
                let known = known.iter();
                known.fold(text.to_owned(), |text, (name, value)| {
                    text.replace(name, value)
                })
            };
            if words.contains("approvals") {
                // The run asks when it has got there.
                let late = std::time::Instant::now() + PATIENCE;
                while run(&session, words).contains("no call waits") {
                    assert!(std::time::Instant::now() < late, "the run does not ask");
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
            let printed = run(&session, &filled(words));
            if words.contains("schedule run") {
                known.insert("RUN", printed.trim().to_owned());
            }
            if let Some((_, digest)) = printed.trim_end().rsplit_once(" 1 ")
                && words.contains("approvals")
            {
                known.insert("DIGEST", digest.to_owned());
            }
            let filled = |text: &str| {
                let known = known.iter();
                known.fold(text.to_owned(), |text, (name, value)| {
                    text.replace(name, value)
                })
            };
            let wanted = filled(wanted.trim_end());
            match &*wanted {
                "…" => {}
                wanted => {
                    let lines: Vec<&str> = printed.lines().collect();
                    let same = wanted.lines().count() == lines.len();
                    let like = wanted
                        .lines()
                        .zip(&lines)
                        .all(|(wanted, line)| is_like(wanted, line));
                    assert!(same && like, "{words}\n{printed}\nis not\n{wanted}");
                }
            }
            count += 1;
        }
    }
    assert_eq!(count, 7);
    // What the last section says is there.
    let token = std::fs::read_to_string(session.path().join("config/kael/server.json"));
    let kept =
        token.or_else(|_| std::fs::read_to_string(session.path().join(".config/kael/server.json")));
    let kept: serde_json::Value =
        serde_json::from_str(&kept.expect("a token is kept")).expect("JSON");
    let token = kept["token"].as_str().expect("a token");
    let record = server
        .ask("GET", "/v1/audit", Some(token), &serde_json::Value::Null)
        .is(200)
        .body;
    for what in ["script.put", "schedule.", "call.decide", "sale tonight"] {
        assert!(record.contains(what), "{what}: {record}");
    }
}

fn run(session: &Kael, words: &str) -> String {
    let mut command = session.command();
    let words = words.strip_prefix("kael-host ").expect("a command");
    command.args(split(words));
    let output = command.output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The words of a line, as a shell takes them where only single quotes are used.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
