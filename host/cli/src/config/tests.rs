use std::fs;

use super::*;
use kael_engine::units::TimeLimit;

struct Place {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let variables = vec![
            ("XDG_CONFIG_HOME".to_owned(), at("config")),
            ("KAEL_DATA".to_owned(), at("data")),
            ("HOME".to_owned(), at("home")),
        ];
        Self { folder, variables }
    }

    fn environment(&self) -> Environment {
        Environment::new(
            self.variables
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    fn resolve(&self, flags: Vec<(Key, Value)>) -> Result<Config, ConfigError> {
        let folder = self.folder.path().join("project/deep");
        fs::create_dir_all(&folder).expect("a folder");
        Config::resolve(&self.environment(), &folder, flags)
    }

    fn shown(&self, config: &Config, key: Key) -> String {
        let setting = config.get(key).expect("settled");
        let real = self.folder.path().canonicalize().expect("a path");
        format!("{} from {}", setting.value, setting.origin)
            .replace(&real.display().to_string(), "R")
    }
}

#[test]
fn each_place_beats_the_one_before() {
    let mut place = Place::new(&[
        (
            "config/kael/config.yaml",
            "timeout: 50s\nmax_cpu: 40s\nmax_calls: 9\n",
        ),
        ("project/kael.yaml", "timeout: 30s\nmax_cpu: 20s\n"),
    ]);
    let flag = vec![(Key::MaxCalls, Value::Count(3))];
    place.variables.push(("KAEL_MAX_CPU".into(), "10m".into()));
    let config = place.resolve(flag).expect("valid");
    assert_eq!(
        place.shown(&config, Key::Timeout),
        "30s from R/project/kael.yaml:1"
    );
    assert_eq!(place.shown(&config, Key::MaxCpu), "10m from KAEL_MAX_CPU");
    assert_eq!(place.shown(&config, Key::MaxCalls), "3 from --max-calls");
    assert_eq!(place.shown(&config, Key::MaxMemory), "256 MiB from default");
    assert_eq!(config.limits().wall, TimeLimit::from_secs(30));
}

#[test]
fn denials_add_up() {
    let mut place = Place::new(&[("config/kael/config.yaml", "deny: a.*\n")]);
    place.variables.push(("KAEL_DENY".into(), "b, c".into()));
    let config = place
        .resolve(vec![(Key::Deny, Value::List(vec!["d".into()]))])
        .expect("valid");
    assert_eq!(config.list(Key::Deny), ["a.*", "b", "c", "d"]);
}

#[test]
fn a_project_is_trusted_only_unchanged() {
    let place = Place::new(&[("project/kael.yaml", "actions_path: actions\ntimeout: 1h\n")]);
    let path = place
        .folder
        .path()
        .canonicalize()
        .expect("a path")
        .join("project/kael.yaml");
    let error = place.resolve(vec![]).expect_err("not trusted");
    assert_eq!(error.problems.len(), 2, "{error}");
    assert!(
        error.problems[0]
            .ends_with("kael.yaml:1: `actions_path` may be set by a trusted file only")
    );
    assert!(
        error.problems[1]
            .ends_with("`timeout` is 1h, and a file that is not trusted cannot raise it above 15m")
    );
    let mut trust = Trust::read(&place.environment().data_folder()).expect("a list");
    trust.add(&path).expect("trusted");
    let config = place.resolve(vec![]).expect("trusted");
    assert_eq!(
        place.shown(&config, Key::ActionsPath),
        "R/project/actions from R/project/kael.yaml:1"
    );
    fs::write(&path, "actions_path: other\n").expect("a file");
    let error = place.resolve(vec![]).expect_err("changed");
    assert!(
        error
            .hint
            .expect("a hint")
            .starts_with("it has changed since you trusted it: ")
    );
    assert!(trust.remove(&path).expect("written"));
    assert!(!trust.remove(&path).expect("nothing to write"));
}

#[test]
fn a_list_that_others_can_write_is_not_believed() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new(&[
        ("project/kael.yaml", "timeout: 1h\n"),
        ("data/trust.json", "[]"),
    ]);
    let list = place.folder.path().join("data/trust.json");
    fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).expect("a mode");
    let error = place.resolve(vec![]).expect_err("refused");
    assert!(
        error.to_string().ends_with("others than you can write it"),
        "{error}"
    );
}

#[test]
fn variables_that_are_wrong_are_all_named() {
    let mut place = Place::new(&[]);
    for (name, value) in [("KAEL_MAX_CALLS", "many"), ("KAEL_TIMEOUT", "soon")] {
        place.variables.push((name.into(), value.into()));
    }
    let error = place.resolve(vec![]).expect_err("wrong").to_string();
    assert_eq!(
        error,
        "KAEL_TIMEOUT: `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)\nKAEL_MAX_CALLS: `many` is not a whole number from 1 to 10000000"
    );
}
