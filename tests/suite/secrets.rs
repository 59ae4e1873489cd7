//! Secrets from outside: programs get their values, and nothing else ever shows them.

mod forms;

use std::path::Path;
use std::process::Stdio;

use kael_tests::{Kael, Ran, gone};

const VALUE: &str = "hunter2/&\"x\\y z-correct";

/// A session whose list has two secrets, and two actions that take them.
fn session() -> Kael {
    let kael = Kael::new();
    let folder = kael.path().display().to_string();
    let list = format!(
        "version: 1\nsecrets:\n  a/b: {{ file: {folder}/value }}\n  other: {{ env: OTHER_SECRET }}\n"
    );
    kael.file("value", VALUE)
        .file("config/kael/secrets.yaml", list)
        .env("OTHER_SECRET", "another-value")
        .shell(
            "bound",
            "secrets = { TOKEN = 'a/b' }, output = 'text'",
            r#"printf '%s and %s' "${#TOKEN}" "$TOKEN""#,
        )
        .shell(
            "takes",
            "params = { token = 'secret', x = 'any?', list = 'secret[]?' }",
            "cat",
        )
}

const ALLOW: &str = "version: 1
default: allow
secrets:
  - { use: \"a/*\", in: [\"t.*\"] }
";

fn allowed() -> Kael {
    session().file("p.yaml", ALLOW).env("KAEL_POLICY", "p.yaml")
}

/// Looks at every file of a folder.
fn each_file(folder: &Path, look: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            each_file(&path, look);
        } else if kind.is_file() {
            look(&path, &std::fs::read(&path).unwrap_or_default());
        }
    }
}

/// The files of a folder that have a text.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_file(folder, &mut |path, content| {
        let mut parts = content.windows(text.len());
        if parts.any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    });
    found
}

#[test]
fn a_bound_secret_is_a_variable_that_no_result_shows() {
    let ran = session().script("print(actions.t.bound({}))");
    ran.prints(&format!("{} and [secret a/b]\n", VALUE.len()));
    // A script cannot set the variable, and names nothing.
    session()
        .script("print(actions.t.bound({ TOKEN = 'mine' }))")
        .prints(&format!("{} and [secret a/b]\n", VALUE.len()));
}

/// The limit that SECURITY.md names: each result is looked at by itself, and for the value as it is
/// and as it is commonly encoded.
#[test]
fn a_value_in_parts_or_changed_is_not_found_and_a_whole_one_is() {
    let part = "case $(cat) in
        *first*) printf '%.9s' \"$TOKEN\" ;;
        *rest*) printf '%s' \"${TOKEN#?????????}\" ;;
        *letters*) printf '%s' \"$TOKEN\" | tr a-z n-za-m ;;
        *whole*) printf '<%s>' \"$TOKEN\" ;;
        *twice*) printf '%s%s' \"$TOKEN\" \"$TOKEN\" ;;
        *both*) printf '%.9s' \"$TOKEN\"; printf '%s' \"${TOKEN#?????????}\" ;;
        esac";
    let with = |script: &str| {
        session()
            .shell("part", "secrets = { TOKEN = 'a/b' }, output = 'text'", part)
            .script(&format!(
                "local function part(how) return actions.t.part({{ how = how }}) end {script}"
            ))
    };
    // Each whole value of one result is taken out, however the program has put it together.
    with("print(part('whole'), part('twice'), part('both'))")
        .prints("<[secret a/b]>\t[secret a/b][secret a/b]\t[secret a/b]\n");
    // Two results are two texts, and what the script joins is its own.
    with("print(part('first') .. part('rest'))").prints(&format!("{VALUE}\n"));
    // Letters that are replaced by others are no form that Kael looks for.
    with("print((part('letters')))").prints("uhagre2/&\"k\\l m-pbeerpg\n");
}

#[test]
fn a_secret_goes_only_where_one_is_declared() {
    allowed()
        .script("print(json.encode(actions.t.takes({ token = { ['$secret'] = 'a/b' } })))")
        .prints("{\"token\":\"[secret a/b]\"}\n");
    for params in [
        "{ token = { ['$secret'] = 'a/b' }, x = { ['$secret'] = 'a/b' } }",
        "{ token = { ['$secret'] = 'a/b' }, x = { { y = { ['$secret'] = 'a/b' } } } }",
        "{ token = { ['$secret'] = 'a/b' }, x = { ['$secret'] = 'a/b' } }",
    ] {
        let ran = allowed().script(&format!("actions.t.takes({params})"));
        ran.exits(1)
            .says("may be no secret: its definition declares none there");
    }
    // And where one is declared, nothing else goes.
    for params in [
        "{ token = 'hunter2hunter2' }",
        "{ token = { ['$secret'] = 'a/b', more = 1 } }",
        "{ token = '[secret a/b]' }",
        "{ token = { ['$secret'] = 'a/b' }, list = 'x' }",
    ] {
        let script = format!("print(select(2, pcall(actions.t.takes, {params})).kind)");
        allowed().script(&script).prints("invalid_params\n");
    }
}

#[test]
fn a_script_uses_only_secrets_that_a_policy_gives_it() {
    let call = "actions.t.takes({ token = { ['$secret'] = 'a/b' } })";
    session().script(call).fails_with(
        4,
        "Error: t.takes failed: denied by no policy that speaks of secrets: t.takes may not use the secret `a/b`",
    );
    let with = |secrets: &str| {
        session()
            .file(
                "p.yaml",
                format!("version: 1\ndefault: allow\nsecrets:\n{secrets}"),
            )
            .run_with(&["--policy", "p.yaml"])
    };
    with("- { use: a/b, in: t.takes }\n").script(call).exits(0);
    for refusing in [
        "- { use: other, in: t.takes }\n",
        "- { use: a/b, in: t.bound }\n",
        "- { use: a/b, in: t.takes, tenants: acme }\n",
    ] {
        let ran = with(refusing).script(call);
        ran.exits(4).says("denied by p.yaml:4 (secrets)");
    }
    // What a definition binds is held to the policy, too.
    with("- { use: other, in: t.takes }\n")
        .script("actions.t.bound({})")
        .exits(4);
    with("- { use: a/b, in: t.boud }\n")
        .script(call)
        .exits(3)
        .says("no action `t.boud` (did you mean `t.bound`?)");
    let ran = allowed().script("actions.t.takes({ token = { ['$secret'] = 'a/none' } })");
    ran.exits(6).says("the secret `a/none` is not known");
}

#[test]
fn a_secret_in_a_result_stays_in_the_host() {
    let login = "echo '{\"token\":\"from-the-login\",\"user\":\"me\"}'";
    let with = || {
        allowed()
            .shell(
                "login",
                "returns = { token = 'secret', user = 'string' }",
                login,
            )
            .shell(
                "use",
                "params = { token = 'secret' }",
                "grep -q from-the-login && echo true || echo false",
            )
            .shell(
                "short",
                "returns = { token = 'secret' }",
                "echo '{\"token\":\"short\"}'",
            )
            .shell("leak", "", "echo '\"from-the-login\"'")
    };
    with()
        .script(
            "local r = actions.t.login({})
            print(r.token['$secret'], r.user, actions.t.use({ token = r.token }), actions.t.leak({}))",
        )
        .prints(
            "result/1/token\tme\ttrue\t[secret result/1/token]\n",
        );
    with()
        .script("actions.t.use({ token = { ['$secret'] = 'result/1/token' } })")
        .exits(6)
        .says("was not given back in this run");
    let ran = with().script("actions.t.short({})");
    ran.exits(6).says("a value of less than 8");
    assert!(!ran.stderr.contains("\"short\""), "{}", ran.stderr);
}

#[test]
fn failures_and_lines_of_stderr_show_no_value() {
    let code = r#"echo "using $TOKEN now" >&2; printf '%s' "$TOKEN" | od -An -tx1 | tr -d ' \n' >&2; exit 3"#;
    let ran = session()
        .shell("fails", "secrets = { TOKEN = 'other' }", code)
        .option(&["-v"])
        .script("actions.t.fails({})");
    ran.exits(6).says("using [secret other] now");
    for form in ["another-value", "616e6f746865722d76616c7565"] {
        assert!(!ran.stderr.contains(form), "{}", ran.stderr);
    }
}

#[test]
fn a_secret_that_a_definition_would_show_is_refused() {
    let validate = |fields: &str| {
        Kael::new()
            .define("a", &format!("source = './impl', {fields}"))
            .words(&["actions", "validate"])
            .ends()
    };
    for (fields, why) in [
        (
            "executor = 'docker', secrets = { A = 'x' }",
            "field 'secrets' is not for executor \"docker\"",
        ),
        (
            "executor = 'native', input = 'args', params = { a = 'secret' }",
            "field 'params' a secret would be on the command line",
        ),
        (
            "executor = 'docker', input = 'env', params = { a = { b = 'secret' } }",
            "field 'params' a secret would be on the command line of docker",
        ),
        (
            "executor = 'native', env = { 'A' }, secrets = { A = 'x' }",
            "`A` is in 'env', too",
        ),
        (
            "executor = 'native', secrets = { KAEL_RUN = 'x' }",
            "`KAEL_RUN` is always set by Kael itself",
        ),
        (
            "executor = 'native', cache = '1m', returns = { a = 'secret' }",
            "field 'cache' is not for results that are secrets",
        ),
    ] {
        let ran = validate(fields);
        ran.exits(3);
        assert!(ran.stdout.contains(why), "{why} {}", ran.stdout);
    }
}

#[test]
fn the_store_takes_values_from_stdin_and_shows_none() {
    let session = Kael::new()
        .shell("a", "secrets = { TOKEN = 'my/token' }", "echo ${#TOKEN}")
        .file("s.lua", "print(actions.t.a({}))");
    session.write_repo();
    let run = |words: &[&str], stdin: &str| {
        let mut child = session
            .command()
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        use std::io::Write as _;
        let mut input = child.stdin.take().expect("stdin");
        // A command that wants no stdin may be gone.
        input.write_all(stdin.as_bytes()).ok();
        drop(input);
        let out = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        (out.status.code(), said)
    };
    let set = |stdin: &str| run(&["secrets", "set", "my/token"], stdin);
    assert_eq!(
        set("from-stdin\n"),
        (Some(0), "my/token is set\n".to_owned())
    );
    assert_eq!(run(&["run", "s.lua"], ""), (Some(0), "10\n".to_owned()));
    assert_eq!(
        run(&["secrets", "ls"], ""),
        (Some(0), "my/token  store, key 1\n".to_owned())
    );
    assert_eq!(
        run(&["secrets", "rotate"], ""),
        (Some(0), "1 secret is sealed with a new key\n".to_owned())
    );
    assert_eq!(run(&["run", "s.lua"], ""), (Some(0), "10\n".to_owned()));
    assert_eq!(
        files_with(session.path(), "from-stdin"),
        Vec::<String>::new()
    );
    let (code, said) = set("short\n");
    assert!(
        code == Some(3) && said.contains("would hide other words"),
        "{said}"
    );
    let (code, said) = run(&["secrets", "set", "a b"], "long enough");
    assert!(
        code == Some(3) && said.contains("is no name of a secret"),
        "{said}"
    );
    assert_eq!(run(&["secrets", "rm", "my/token"], "").0, Some(0));
    let (code, said) = run(&["run", "s.lua"], "");
    assert!(
        code == Some(6) && said.contains("the secret `my/token` is not known"),
        "{said}"
    );
    assert!(
        said.contains("kael-host secrets set my/token takes a value from stdin"),
        "{said}"
    );
}

#[test]
fn a_dry_run_opens_no_secret() {
    let ran: Ran = allowed()
        .file("value", "x")
        .run_with(&["--dry-run"])
        .script("actions.t.takes({ token = { ['$secret'] = 'a/b' } }) actions.t.bound({})");
    ran.exits(0);
}

#[test]
fn a_handle_shows_its_name_alone() {
    let script = "local s = secret('a/b')
        print(s, 'x' .. s, inspect({ s }), json.encode({ t = s }), #tostring(s), getmetatable(s))
        print(actions.t.takes({ token = s }).token)
        secret = nil
        local r = actions.t.login({})
        print(r.token, json.encode(r))";
    allowed()
        .shell(
            "login",
            "returns = { token = 'secret' }",
            "echo '{\"token\":\"from-the-login\"}'",
        )
        .script(script)
        .prints(
            "[secret a/b]\tx[secret a/b]\t{ [secret a/b] }\t{\"t\":\"[secret a/b]\"}\t12\tsecret
[secret a/b]
[secret result/2/token]\t{\"token\":\"[secret result/2/token]\"}
",
        );
}

#[test]
fn a_call_with_a_handle_of_its_run_is_not_kept() {
    let kael = allowed();
    let (state, writable) = kael.state();
    let counts = format!("cache = 300, params = {{ token = 'secret' }}, {writable}");
    let kael = kael
        .shell(
            "login",
            "returns = { token = 'secret' }",
            "echo '{\"token\":\"from-the-login\"}'",
        )
        .shell(
            "counts",
            &counts,
            &format!("echo >> {state}/n; wc -l < {state}/n"),
        )
        .file(
            "p.yaml",
            "version: 1\ndefault: allow\nsecrets:\n- { use: \"*/*\", in: t.counts }\n",
        );
    // The second run has the same handle, for another value.
    let script = "local token = actions.t.login({}).token
        print(actions.t.counts({ token = token }), actions.t.counts({ token = token }))";
    let printed = |script: &str| {
        let output = kael.command().args(["run", "-e", script]).output();
        let output = output.expect("the host starts");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(printed(script), "1\t2\n");
    assert_eq!(printed(script), "3\t4\n");
    let named = "local token = secret('a/b')
        print(actions.t.counts({ token = token }), actions.t.counts({ token = token }))";
    assert_eq!(printed(named), "5\t5\n");
}

#[test]
fn a_program_that_prints_a_secret_ends_with_its_run() {
    let list = "version: 1\nsecrets:\n  a/b: { exec: [sh, -c, \"sleep 771313; echo a\"] }\n";
    session()
        .file("config/kael/secrets.yaml", list)
        .run_with(&["--timeout", "1s"])
        .script("actions.t.bound({})")
        .exits(5);
    assert!(gone("sleep 771313"));
}
