//! Where policies come from, and what is wrong with them.

use std::os::unix::fs::symlink;

use kael_tests::{Kael, Ran};

use super::{marked, session};

#[test]
fn every_place_that_names_a_policy_tightens() {
    let allow = "version: 1\ndefault: allow\n";
    let deny = "version: 1\ndefault: allow\nrules:\n- deny: t.delete\n";
    let call = "print(pcall(actions.t.delete, {}))";
    let denied = |ran: &Ran| {
        ran.exits(0);
        assert!(
            ran.stdout.starts_with("false"),
            "{} {}",
            ran.stdout,
            ran.stderr
        );
        assert!(!marked(ran));
    };
    session()
        .file("p.yaml", allow)
        .run_with(&["--policy", "p.yaml"])
        .script(call)
        .prints("true\t2\n");
    // The repo's own.
    let own = || session().file("actions/policy.yaml", deny);
    denied(&own().script(call));
    denied(
        &own()
            .file("p.yaml", allow)
            .run_with(&["--policy", "p.yaml"])
            .script(call),
    );
    // The user's file, a variable, an untrusted project; and an allow behind them changes nothing.
    let more = ["--policy", "p.yaml"];
    let with = || {
        session()
            .file("p.yaml", allow)
            .file("d.yaml", deny)
            .run_with(&more)
    };
    denied(
        &with()
            .file("config/kael/config.yaml", "policy: ../../d.yaml\n")
            .script(call),
    );
    denied(&with().env("KAEL_POLICY", "d.yaml").script(call));
    denied(&with().file("kael.yaml", "policy: [d.yaml]\n").script(call));
    denied(
        &session()
            .file("p.yaml", allow)
            .run_with(&["--policy", "p.yaml", "--deny", "t.delete"])
            .script(call),
    );
    // Such a project cannot name a file outside its own folder.
    let ran = with()
        .file("kael.yaml", "policy: /etc/passwd\n")
        .script(call);
    ran.exits(3).says(
        "kael.yaml:1: `policy` of a file that is not trusted must name files of its own folder",
    );
    let session = with().file("kael.yaml", "policy: link.yaml\n");
    symlink("/etc/passwd", session.path().join("link.yaml")).expect("a link");
    session
        .script(call)
        .exits(3)
        .says("must name files of its own folder");
}

#[test]
fn a_policy_that_is_wrong_stops_everything() {
    let repo = |text: &str| {
        session()
            .file("actions/policy.yaml", text)
            .script("print(1)")
    };
    repo("version: 1\nrules:\n- deny: t.delet\n").fails(
        3,
        "Error: actions/policy.yaml:3: no action `t.delet` (did you mean `t.delete`?)\n    3 | - deny: t.delet\n",
    );
    repo("").fails_with(
        3,
        "Error: actions/policy.yaml:1: the policy is empty: it begins with `version: 1`",
    );
    repo("version: 1\nrules:\n- allow: &a [t.look]\n- deny: *a\n")
        .exits(3)
        .says("anchors (`&name`)");
    repo(&format!("version: 1\n{}", "#".repeat(300 << 10)))
        .exits(3)
        .says("a policy has more than 256 KiB");
    for name in ["Policy.yaml", "policy.yml"] {
        session()
            .file(&format!("actions/{name}"), "version: 1\n")
            .script("print(1)")
            .exits(3)
            .says("is not read as the policy of the actions repo: call it `policy.yaml`");
    }
    // The operator's.
    for (text, why) in [
        (
            "version: 1\nrulse: []\n".to_owned(),
            "p.yaml:2: unknown key `rulse` (did you mean `rules`?)",
        ),
        (
            "#".repeat(10 << 20),
            "cannot read the policy `p.yaml`: it has more than 256 KiB",
        ),
    ] {
        session()
            .file("p.yaml", text)
            .run_with(&["--policy", "p.yaml"])
            .script("print(1)")
            .exits(3)
            .says(why);
    }
    session()
        .run_with(&["--policy", "none.yaml"])
        .script("print(1)")
        .fails(
            3,
            "Error: cannot read the policy `none.yaml`: No such file or directory (os error 2)\n",
        );
    session()
        .run_with(&["--policy", "."])
        .script("print(1)")
        .exits(3)
        .says("it is not a regular file");
}

#[test]
fn a_policy_of_the_repo_is_a_file_of_the_repo() {
    let link = |target: &str| {
        let session = session()
            .file("actions/real.yaml", "version: 1\n")
            .file("actions/state/p.yaml", "version: 1\n");
        session.write_repo();
        symlink(target, session.path().join("actions/policy.yaml")).expect("a link");
        session.script("actions.t.look({})")
    };
    link("real.yaml")
        .exits(4)
        .says("denied by actions/policy.yaml:1 (default: deny)");
    link("/etc/passwd")
        .exits(3)
        .says("is a symbolic link that leads out of the actions repo");
    link("state/p.yaml")
        .exits(3)
        .says("is a symbolic link into `state/`");
    link("gone.yaml").exits(3);
    let session = session();
    session.write_repo();
    let fifo = session.path().join("actions/policy.yaml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a FIFO");
    session.script("print(1)").exits(3);
}

#[test]
fn no_action_is_given_a_policy_or_an_audit_log_to_write() {
    let allow = "version: 1\ndefault: allow\n";
    let with = |place: &str| {
        let session = Kael::new();
        let path = session.path().join(place).display().to_string();
        std::fs::create_dir_all(&path).expect("a folder");
        session
            .shell("a", &format!("writable = {{ '{path}' }}"), "echo 1")
            .file("rules/p.yaml", allow)
    };
    let why = |file: &str| format!("rules/{file}, which no action may rewrite");
    with("rules")
        .run_with(&["--policy", "rules/p.yaml"])
        .script("actions.t.a({})")
        .exits(3)
        .says(&why("p.yaml"));
    with("rules")
        .run_with(&["--audit", "rules/audit.jsonl"])
        .script("actions.t.a({})")
        .exits(3)
        .says(&why("audit.jsonl"));
    // Where a link lies, it can be replaced.
    let session = with("links");
    symlink("../rules/p.yaml", session.path().join("links/p.yaml")).expect("a link");
    session
        .run_with(&["--policy", "links/p.yaml"])
        .script("actions.t.a({})")
        .exits(3)
        .says("links/p.yaml, which no action may rewrite");
    with("other")
        .run_with(&["--policy", "rules/p.yaml"])
        .script("print(actions.t.a({}))")
        .prints("1\n");
}
