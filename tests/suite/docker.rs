//! The calls of docker, recorded by a fake docker.

use std::fs;
use std::path::Path;

use kael_tests::{Kael, Ran, gone};

/// Records every call, runs nothing, and remembers the images that it was asked to build.
const DOCKER: &str = r#"#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
printf '%s\n' "$*" >> "$here/calls"
case $1 in
  ps) case "$*" in *--filter*) [ -f "$here/name" ] && echo c0ffee ;; esac; exit 0 ;;
  images) for last; do :; done; grep -qxF "${last#reference=}" "$here/built" 2>/dev/null && echo 1234; exit 0 ;;
  build) echo "$3" >> "$here/built"; cp "$5" "$here/Dockerfile"; exit 0 ;;
  run)
    env > "$here/run-env"
    while [ $# -gt 0 ]; do [ "$1" = --name ] && echo "$2" > "$here/name"; shift; done
    . "$here/behaviour" ;;
  kill|rm) exit 0 ;;
esac
"#;

fn session(fields: &str, behaviour: &str) -> Kael {
    let session = Kael::new()
        .program("bin/docker", DOCKER)
        .file("bin/behaviour", behaviour);
    let path = format!("{}/bin:/usr/bin:/bin", session.path().display());
    session
        .env("PATH", &path)
        .program("impl/a.sh", "#!/bin/bash\necho no\n")
        .program("impl/b.py", "print(1)")
        .define(
            "a",
            &format!("source = '../impl', entrypoint = 'a.sh', executor = 'docker', {fields}"),
        )
}

fn calls(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("bin/calls"))
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn call(ran: &Ran, word: &str) -> String {
    let calls = calls(ran.path());
    calls
        .iter()
        .find(|call| call.starts_with(word))
        .unwrap_or_else(|| panic!("no {word} in {calls:?}"))
        .clone()
}

#[test]
fn parameters_go_in_and_the_result_comes_out() {
    let ran = session("env = { 'GIVEN', 'NOT_SET' }, timeout = 7", "cat")
        .env("GIVEN", "g 1")
        .env("SECRET", "s")
        .script("print(actions.t.a({ x = 1 }).x, actions.t.a({ x = 2 }).x)");
    ran.prints("1\t2\n");
    let run = call(&ran, "run ");
    assert!(
        run.contains(" -e GIVEN=g 1 ") && !run.contains("NOT_SET") && run.contains(" --rm "),
        "{run}"
    );
    assert!(call(&ran, "build -t envyr").contains(":kael-"));
    let dockerfile = fs::read_to_string(ran.path().join("bin/Dockerfile")).expect("it was built");
    assert!(
        dockerfile.contains(r#"ENTRYPOINT ["/bin/bash", "a.sh"]"#),
        "{dockerfile}"
    );
    assert_eq!(
        calls(ran.path())
            .iter()
            .filter(|call| call.starts_with("build"))
            .count(),
        1
    );
    let seen = fs::read_to_string(ran.path().join("bin/run-env")).expect("it ran");
    assert!(!seen.contains("SECRET"), "{seen}");
}

#[test]
fn two_entry_points_of_one_source_have_images_of_their_own() {
    let ran = session("", "echo 1")
        .define(
            "b",
            "source = '../impl', entrypoint = 'b.py', executor = 'docker'",
        )
        .script("parallel(function() actions.t.a({}) end, function() actions.t.b({}) end)");
    ran.exits(0);
    let built = fs::read_to_string(ran.path().join("bin/built")).expect("images");
    let mut images: Vec<_> = built.lines().collect();
    images.sort_unstable();
    images.dedup();
    assert_eq!(images.len(), 2, "{built}");
}

#[test]
fn an_edited_source_is_built_anew() {
    let session = session("", "echo 1").run_with(&["-e", "actions.t.a({})"]);
    for text in ["one", "two"] {
        fs::write(session.path().join("impl/lib.txt"), text).expect("a file");
        assert!(
            session
                .start()
                .wait_with_output()
                .expect("it ends")
                .status
                .success()
        );
    }
    let built = calls(session.path())
        .iter()
        .filter(|call| call.starts_with("build"))
        .count();
    assert_eq!(built, 2);
}

#[test]
fn a_failure_in_the_container_is_the_actions_own() {
    session("", "echo 'no such host' >&2; exit 4")
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message, e.detail.exit_code)")
        .prints("failed\tno such host\t4\n");
}

#[test]
fn a_timeout_kills_the_container() {
    let ran = session("timeout = 1", "exec sleep 4815.1")
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message)");
    ran.prints("timeout\ttimed out after 1s\n");
    let name = fs::read_to_string(ran.path().join("bin/name")).expect("it ran");
    assert_eq!(call(&ran, "kill "), format!("kill {}", name.trim()));
    assert!(gone("4815.1"));
}

#[test]
fn a_cancelled_call_kills_its_container() {
    let ran = session("timeout = 60", "exec sleep 4815.2")
        .shell("quick", "", "while ! [ -f ../bin/name ]; do sleep 0.05; done; echo 1")
        .script("print(race(function() return actions.t.a({}) end, function() return actions.t.quick({}) end))");
    ran.prints("2\t1\n");
    let name = fs::read_to_string(ran.path().join("bin/name")).expect("it ran");
    let (prefix, _) = name.trim().rsplit_once('-').expect("envyr-PID-SECONDS");
    let looked = format!("ps -aq --filter name={prefix}- --filter ancestor=envyr-");
    assert!(
        call(&ran, "ps -aq").starts_with(&looked),
        "{}",
        call(&ran, "ps -aq")
    );
    assert_eq!(call(&ran, "kill "), "kill c0ffee");
    assert!(gone("4815.2"));
}

#[test]
fn podman_takes_the_place_of_a_docker_without_a_daemon() {
    let session = session("", "echo '\"by podman\"'");
    let podman = session.path().join("bin/podman");
    fs::rename(session.path().join("bin/docker"), &podman).expect("renamed");
    let ran = session
        .program(
            "bin/docker",
            "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n",
        )
        .script("print(actions.t.a({}))");
    ran.prints("by podman\n");
    assert!(ran.path().join("data/podman/docker").exists());
}

#[test]
fn without_an_engine_the_error_lists_the_tried_engines() {
    let session = session("", "");
    let ran = session
        .program(
            "bin/docker",
            "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n",
        )
        .script("actions.t.a({})");
    ran.fails_with(
        6,
        "Error: t.a failed: no container engine works: `docker ps` says: Cannot connect to the Docker daemon; there is no podman",
    );
}
