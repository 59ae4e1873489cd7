use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::*;

fn environment(folder: &Path, more: &[(&str, &str)]) -> Environment {
    let own = [
        ("KAEL_DATA".into(), folder.join("data").into()),
        ("XDG_CONFIG_HOME".into(), folder.join("config").into()),
        ("PATH".into(), "/usr/bin:/bin".into()),
    ];
    let more = more
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    Environment::new(own.into_iter().chain(more))
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned()).expect("a value")
}

fn shown(value: Result<SecretValue, Error>) -> Result<String, String> {
    let text = value.map(|value| value.expose().to_owned());
    text.map_err(|error| error.message)
}

#[test]
fn values_are_sealed_changed_and_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::of(&environment(folder.path(), &[]));
    assert_eq!(store.list(), Ok(Vec::new()));
    store.set("a/b", &value("hunter2-one")).expect("it is set");
    store.set("c", &value("hunter2-two")).expect("it is set");
    let file = folder.path().join("data/secrets/store.json");
    let key = folder.path().join("data/secrets/key");
    for path in [&file, &key] {
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!fs::read_to_string(path).expect("text").contains("hunter2"));
    }
    let get = |name: &str| {
        store
            .get(name)
            .map(|found| found.map(|found| found.expose().to_owned()))
    };
    assert_eq!(get("a/b"), Ok(Some("hunter2-one".to_owned())));
    assert_eq!(get("none"), Ok(None));
    let old = fs::read_to_string(&key).expect("text");
    assert_eq!(store.rotate(), Ok(2));
    let new = fs::read_to_string(&key).expect("text");
    assert!(new != old && new.lines().count() == 1);
    assert_eq!(get("c"), Ok(Some("hunter2-two".to_owned())));
    assert!(
        store
            .list()
            .expect("a list")
            .iter()
            .all(|listed| listed.key == 2)
    );
    // One value in the place of another, and one sign that was changed.
    let text = fs::read_to_string(&file).expect("text");
    let mut content: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    content["secrets"]["c"] = content["secrets"]["a/b"].clone();
    fs::write(&file, content.to_string()).expect("a file");
    assert!(get("c").is_err_and(|error| error.message.contains("it was changed")));
    assert_eq!(store.remove("c"), Ok(true));
    assert_eq!(store.remove("c"), Ok(false));
    // Without its key nothing is added as if there were nothing.
    fs::remove_file(&key).expect("it is there");
    assert!(store.set("d", &value("hunter2-three")).is_err());
    assert!(get("a/b").is_err());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::of(&environment(folder.path(), &[]));
    store.set("a", &value("hunter2-one")).expect("it is set");
    let key = folder.path().join("data/secrets/key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("its mode");
    let error = store.get("a").expect_err("it is refused");
    assert!(error.message.contains("mode 644"), "{error}");
}

#[test]
fn the_list_names_variables_files_and_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    fs::write(at.join("token"), "from-a-file\n").expect("a file");
    let program = "date +%s%N > at; cat at; echo again >> ran";
    let list = format!(
        "version: 1\nsecrets:\n  v: {{ env: MY_TOKEN }}\n  f/x: {{ file: {}/token }}\n  p: {{ exec: [sh, -c, \"cd {}; {program}\"], ttl: 1h }}\n  bad: {{ exec: [sh, -c, exit 3] }}\n  short: {{ env: SHORT }}\n  unset: {{ env: UNSET }}\n",
        at.display(),
        at.display()
    );
    fs::write(at.join("secrets.yaml"), list).expect("a file");
    let list = at.join("secrets.yaml").display().to_string();
    let more = [
        (LIST, list.as_str()),
        ("MY_TOKEN", "from-a-variable"),
        ("SHORT", "1234567"),
    ];
    let secrets = Secrets::new(environment(at, &more));
    let get = |name: &str| shown(secrets.0.get(name, &Running::default()));
    assert_eq!(get("v"), Ok("from-a-variable".to_owned()));
    assert_eq!(get("f/x"), Ok("from-a-file".to_owned()));
    assert_eq!(get("p"), get("p"));
    assert_eq!(
        fs::read_to_string(at.join("ran"))
            .expect("it ran")
            .lines()
            .count(),
        1
    );
    for (name, why) in [
        ("bad", "sh exited with status 3"),
        ("short", "would hide other words"),
        ("unset", "the variable `UNSET` is not set"),
        ("none", "is not known"),
        ("../x", "is no name of a secret"),
    ] {
        let error = get(name).expect_err("it is not there");
        assert!(error.contains(why), "{error}");
    }
    fs::set_permissions(at.join("secrets.yaml"), fs::Permissions::from_mode(0o666))
        .expect("its mode");
    assert!(get("v").is_err_and(|error| error.contains("mode 666")));
}

#[test]
fn what_is_wrong_with_a_list_has_its_line() {
    for (text, line, why) in [
        ("secrets: {}\n", 1, "`version: 1` is missing"),
        ("version: 2\n", 1, "`version` must be 1"),
        ("version: 1\nsecret: {}\n", 2, "unknown key `secret`"),
        (
            "version: 1\nsecrets:\n  \"a b\": { env: X }\n",
            3,
            "is no name of a secret",
        ),
        (
            "version: 1\nsecrets:\n  a: { env: X, file: /y }\n",
            3,
            "a secret is",
        ),
        (
            "version: 1\nsecrets:\n  a: { file: token }\n",
            3,
            "the whole path",
        ),
        ("version: 1\nsecrets:\n  a: { exec: x }\n", 3, "a secret is"),
        (
            "version: 1\nsecrets:\n  a: { exec: [x], ttl: soon }\n",
            3,
            "`ttl` must be a time",
        ),
    ] {
        let (at, error) = Sources::parse(text).expect_err("it is wrong");
        assert!(at == line && error.contains(why), "{text}: {at} {error}");
    }
    let list =
        Sources::parse("version: 1\nsecrets:\n  a: { exec: [tool, key] }\n").expect("a list");
    let place = Place::Program {
        words: vec!["tool".to_owned(), "key".to_owned()],
        ttl: Duration::from_secs(300),
    };
    assert_eq!(list.get("a"), Some(&place));
}
