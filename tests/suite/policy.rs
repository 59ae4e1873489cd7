//! Policy files from outside: what a script may call, for every command that calls actions.

mod approval;
mod budgets;
mod effects;
mod explain;
mod files;
mod record;
mod rules;
mod windows;

use kael_tests::{Kael, Ran};

/// A repo with an action that leaves a mark, one that is careful, and one that reads.
fn session() -> Kael {
    let kael = Kael::new();
    let (_, writable) = kael.state();
    let mark = r#"p=$(cat); echo "$p" >> "$KAEL_TEST_MARK""#;
    let mark = mark.replace(
        "$KAEL_TEST_MARK",
        &kael.path().join("state/mark").display().to_string(),
    );
    kael.shell(
        "scale",
        &format!("{writable}, defaults = {{ env = 'dev' }}, locked = {{ owner = 'us' }}"),
        &format!("{mark}; echo 1"),
    )
    .shell("delete", &writable, &format!("{mark}; echo 2"))
    .shell("look", "effects = 'none'", "cat")
}

fn marked(ran: &Ran) -> bool {
    ran.path().join("state/mark").exists()
}

const POLICY: &str = "version: 1
rules:
  - allow: [t.look]
  - allow: t.scale
    when: { n: { at_most: 10 }, env: [dev, staging] }
  - approve: t.scale
    when: { n: { over: 10 } }
    reason: more than ten cost money
  - deny: \"*.delete\"
    reason: ask the operators
";
