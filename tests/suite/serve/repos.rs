//! Actions repos from git: the commit that is used, and how another one comes.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use kael_tests::Kael;
use serde_json::{Value, json};

use super::hooks::hex;
use super::{PATIENCE, Server};

/// Runs git in a folder.
fn git(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args([
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.org",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(words)
        .output()
        .expect("git starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {told}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A repository whose action says a word.
struct Repository {
    session: Kael,
}

impl Repository {
    fn new() -> Self {
        let session = Kael::new();
        let work = session.path().join("work/team");
        std::fs::create_dir_all(&work).expect("folders");
        git(&work, &["init", "-q", ".."]);
        let made = Self { session };
        made.commit("one");
        made
    }

    fn work(&self) -> std::path::PathBuf {
        self.session.path().join("work")
    }

    fn url(&self) -> String {
        format!("file://{}/work", self.session.path().display())
    }

    /// Commits actions of which one says a word; with an empty word, actions that do not load.
    fn commit(&self, word: &str) -> String {
        let folder = self.work().join("team");
        let lua = match word {
            "" => "this is no Lua".to_owned(),
            _ => "return { say = define_action { description = 'says', source = '.', entrypoint = 'say.sh', executor = 'native', effects = 'none' } }".to_owned(),
        };
        std::fs::write(folder.join("init.lua"), lua).expect("a file");
        std::fs::write(
            folder.join("say.sh"),
            format!("#!/bin/sh\necho '\"{word}\"'\n"),
        )
        .expect("a file");
        git(&self.work(), &["add", "-A"]);
        git(
            &self.work(),
            &["commit", "-qm", word, "--allow-empty-message"],
        );
        git(&self.work(), &["rev-parse", "HEAD"])
    }

    fn serve(&self, more: &str) -> Server {
        self.configure(more);
        Server::start_with(&self.session, &["--config", "serve.yaml"])
    }

    /// The same over the data of an earlier server.
    fn serve_again(&self, more: &str, token: &str) -> Server {
        self.configure(more);
        Server::restart_with(&self.session, token, &["--config", "serve.yaml"])
    }

    fn configure(&self, more: &str) {
        let config = format!(
            "tenants:\n  - name: default\n    git: {{ url: \"{}\", folder: team{more} }}\n",
            self.url()
        );
        std::fs::write(self.session.path().join("serve.yaml"), config).expect("a file");
    }
}

fn state(server: &Server) -> Value {
    server.get("/v1/repos/default").is(200).json()
}

/// Waits until a commit is used.
#[track_caller]
fn until(server: &Server, commit: &str) {
    let late = Instant::now() + PATIENCE;
    while state(server)["commit"] != commit {
        assert!(Instant::now() < late, "{}", state(server));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn says(server: &Server) -> String {
    let run = server.submit("print(actions.say({}))");
    let ended = server.ended(&run);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    server.output(&run)
}

#[test]
fn a_commit_is_used_until_a_refresh_brings_one_that_loads() {
    let repository = Repository::new();
    let first = git(&repository.work(), &["rev-parse", "HEAD"]);
    let server = repository.serve("");
    until(&server, &first);
    assert_eq!(says(&server), "one\n");
    // A run that has begun keeps what it began with, also when its files have changed.
    let begun = server.submit("print(actions.say({})) wait_for('go') print(actions.say({}))");
    server.until(&begun, "waiting");
    let second = repository.commit("two");
    assert_eq!(says(&server), "one\n");
    let done = server
        .post("/v1/repos/default/refresh", &json!({}))
        .is(200)
        .json();
    assert_eq!(
        (&done["commit"], &done["error"]),
        (&json!(second), &Value::Null)
    );
    assert_eq!(says(&server), "two\n");
    server
        .post(&format!("/v1/runs/{begun}/signals/go"), &json!({}))
        .is(202);
    server.ended(&begun);
    assert_eq!(server.output(&begun), "one\none\n");
    // What does not load replaces nothing, and says why, also by the command.
    repository.commit("");
    let refused = server.post("/v1/repos/default/refresh", &json!({})).is(503);
    assert!(refused.body.contains("init.lua"), "{}", refused.body);
    let kept = state(&server);
    assert_eq!(kept["commit"], second);
    assert!(
        kept["error"]
            .as_str()
            .is_some_and(|error| error.contains("init.lua")),
        "{kept}"
    );
    assert_eq!(says(&server), "two\n");
    let client = |words: &[&str]| {
        let output = repository
            .session
            .command()
            .args(words)
            .env("KAEL_SERVER", format!("http://{}", server.address))
            .env("KAEL_TOKEN", &server.token)
            .output()
            .expect("it starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, shown) = client(&["repo", "show", "default"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains(&format!("commit  {second}\n")) && shown.contains("error   "),
        "{shown}"
    );
    // The server that comes back uses the commit that it used, whatever the branch is at.
    let token = server.token.clone();
    server.terminate();
    let server = Server::restart_with(&repository.session, &token, &["--config", "serve.yaml"]);
    until(&server, &second);
    assert_eq!(says(&server), "two\n");
    let third = repository.commit("three");
    let (code, shown) = {
        let output = repository
            .session
            .command()
            .args(["repo", "refresh", "default", "--json"])
            .env("KAEL_SERVER", format!("http://{}", server.address))
            .env("KAEL_TOKEN", &server.token)
            .output()
            .expect("it starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    assert!(code == Some(0) && shown.contains(&third), "{shown}");
    assert_eq!(says(&server), "three\n");
    // Whose it is not, sees nothing of it.
    server.make_tenant("other", &json!({}));
    let other = server.make_token("other", "manager");
    server
        .ask("GET", "/v1/repos/default", Some(&other), &Value::Null)
        .is(404);
    server
        .ask(
            "POST",
            "/v1/repos/default/refresh",
            Some(&other),
            &json!({}),
        )
        .is(404);
    let viewer = server.make_token("default", "viewer");
    server
        .ask("GET", "/v1/repos/default", Some(&viewer), &Value::Null)
        .is(200);
    server
        .ask(
            "POST",
            "/v1/repos/default/refresh",
            Some(&viewer),
            &json!({}),
        )
        .is(403);
}

/// The clones of the tenant, without those that are being made.
fn clones(repository: &Repository) -> Vec<std::path::PathBuf> {
    let tenants = repository.session.path().join("data/server/tenants");
    let sources = tenants.join("default/checkouts/sources");
    let clones = std::fs::read_dir(sources).expect("clones");
    let clones = clones.map(|entry| entry.expect("a clone").path());
    clones
        .filter(|clone| clone.join("ready").exists())
        .collect()
}

#[test]
fn a_look_clones_nothing_that_is_there_and_old_clones_go() {
    let repository = Repository::new();
    let first = git(&repository.work(), &["rev-parse", "HEAD"]);
    let server = repository.serve("");
    until(&server, &first);
    let refresh = || {
        let refreshed = server.post("/v1/repos/default/refresh", &json!({}));
        assert_eq!(refreshed.is(200).json()["error"], Value::Null);
    };
    let one = clones(&repository);
    refresh();
    assert_eq!((clones(&repository), one.len()), (one.clone(), 1));
    // What is pushed meanwhile is one more, and so is a commit that does not load.
    repository.commit("");
    server.post("/v1/repos/default/refresh", &json!({})).is(503);
    let second = repository.commit("two");
    refresh();
    assert_eq!(state(&server)["commit"], second);
    assert_eq!(clones(&repository).len(), 3);
    // Two hours later, while a run goes on that could need them.
    let open = server.submit("wait_for('go')");
    server.until(&open, "waiting");
    let age = |hours: u64| {
        let before = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        for clone in clones(&repository) {
            if let Ok(mark) = std::fs::File::options()
                .write(true)
                .open(clone.join("replaced"))
            {
                mark.set_modified(before).expect("a time");
            }
        }
    };
    refresh();
    assert_eq!(clones(&repository).len(), 3, "they were replaced just now");
    age(2);
    refresh();
    let left = clones(&repository);
    assert_eq!(left.len(), 1, "the run has begun after that");
    assert_eq!(says(&server), "two\n");
    let third = repository.commit("three");
    refresh();
    assert_eq!(state(&server)["commit"], third);
    let used = clones(&repository);
    let used: Vec<_> = used.iter().filter(|clone| !left.contains(clone)).collect();
    let [used] = used[..] else { panic!("{used:?}") };
    refresh();
    assert!(left[0].exists() && !used.join("replaced").exists());
    server
        .post(&format!("/v1/runs/{open}/signals/go"), &json!({}))
        .is(202);
    server.ended(&open);
    age(2);
    refresh();
    assert_eq!(clones(&repository), std::slice::from_ref(used));
}

#[test]
fn a_timer_and_a_push_bring_commits() {
    let repository = Repository::new();
    let server = repository.serve(", every: 1s");
    let second = repository.commit("two");
    until(&server, &second);
    assert_eq!(says(&server), "two\n");
    let token = server.token.clone();
    server.terminate();
    let server = repository.serve_again(", secret: git/push", &token);
    until(&server, &second);
    let secret = "the-secret-of-pushes";
    server
        .put("/v1/secrets/git%2Fpush", &json!({ "value": secret }))
        .is(204);
    let body = r#"{"ref":"refs/heads/main"}"#;
    let push =
        |headers: &[(&str, &str)]| server.send("POST", "/v1/repos/default/push", headers, body);
    let third = repository.commit("three");
    let wrong = format!("sha256={}", hex("another", body));
    let other = format!("sha256={}", hex(secret, "{}"));
    for headers in [
        &[][..],
        &[("X-Hub-Signature-256", wrong.as_str())],
        &[("X-Hub-Signature-256", other.as_str())],
        &[("X-Hub-Signature-256", "sha256=")],
        &[("X-Gitlab-Token", "another")],
        &[("X-Gitlab-Token", "")],
    ] {
        push(headers).is(401);
    }
    let unknown = server
        .send(
            "POST",
            "/v1/repos/nobody/push",
            &[("X-Gitlab-Token", secret)],
            body,
        )
        .is(401);
    assert!(
        unknown
            .body
            .contains("the signature is not right, or no repo"),
        "{}",
        unknown.body
    );
    // Not even by what it sends does anybody learn which repos take pushes.
    let large = "x".repeat((1 << 20) + 1);
    for name in ["default", "nobody"] {
        let path = format!("/v1/repos/{name}/push");
        server.send("POST", &path, &[], &large).is(413);
    }
    assert_eq!(state(&server)["commit"], second);
    let right = format!("sha256={}", hex(secret, body));
    push(&[("X-Hub-Signature-256", right.as_str())]).is(202);
    until(&server, &third);
    let fourth = repository.commit("four");
    push(&[("X-Gitlab-Token", secret)]).is(202);
    until(&server, &fourth);
    assert_eq!(says(&server), "four\n");
    let audit = server.get("/v1/audit").is(200).body;
    assert!(
        audit.contains("actions.refresh") && audit.contains(&fourth),
        "{audit}"
    );
}

#[test]
fn nothing_of_the_repository_is_run_or_followed() {
    let repository = Repository::new();
    let work = repository.work();
    // A hook that git would run for every clone of the tenant, a folder that leads out, and a submodule.
    let home = repository
        .session
        .path()
        .join("data/server/tenants/default");
    let hooks = home.join("hooks");
    std::fs::create_dir_all(&hooks).expect("folders");
    let hook = hooks.join("post-checkout");
    std::fs::write(&hook, "#!/bin/sh\ntouch hooked\n").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, mode).expect("a mode");
    let config = format!(
        "[core]\n\thooksPath = {}\n[submodule]\n\trecurse = true\n[protocol \"file\"]\n\tallow = always\n",
        hooks.display()
    );
    std::fs::write(home.join(".gitconfig"), config).expect("a file");
    std::os::unix::fs::symlink("/etc", work.join("out")).expect("a link");
    let other = Repository::new();
    git(
        &work,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "add",
            "-q",
            &other.url(),
            "sub",
        ],
    );
    git(&work, &["add", "-A"]);
    git(&work, &["commit", "-qm", "link"]);
    let server = repository.serve("");
    let head = git(&work, &["rev-parse", "HEAD"]);
    until(&server, &head);
    let [root] = &clones(&repository)[..] else {
        panic!("one clone")
    };
    let clone = std::fs::read_to_string(root.join("ready")).expect("a clone");
    let clone = Path::new(&clone);
    assert!(clone.join("team/init.lua").exists() && !clone.join("hooked").exists());
    assert!(!clone.join("sub/team").exists());
    for (setting, why) in [
        (
            json!({ "url": repository.url(), "folder": "out" }),
            "has no folder `out`",
        ),
        (
            json!({ "url": repository.url(), "ref": "nowhere" }),
            "nowhere",
        ),
        (
            json!({ "url": format!("{}-gone", repository.url()) }),
            "asking file://",
        ),
    ] {
        server.make_tenant("odd", &json!({ "git": setting }));
        let refused = server.post("/v1/repos/odd/refresh", &json!({})).is(503);
        assert!(refused.body.contains(why), "{}", refused.body);
    }
    for (setting, why) in [
        (
            json!({ "url": "https://token@example.org/a" }),
            "has a user or a password",
        ),
        (json!({ "url": "ext::sh -c id" }), "`git.url` must be"),
        (json!({ "url": "--upload-pack=id" }), "`git.url` must be"),
        (
            json!({ "url": repository.url(), "ref": "--help" }),
            "`git.ref` must be",
        ),
        (
            json!({ "url": repository.url(), "folder": "../x" }),
            "`git.folder` must be",
        ),
    ] {
        let body = json!({ "settings": { "git": setting } });
        let refused = server
            .ask("PUT", "/v1/tenants/odd", Some(&server.token), &body)
            .is(422);
        assert!(refused.body.contains(why), "{}", refused.body);
    }
}
