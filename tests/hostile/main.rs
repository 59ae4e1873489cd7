//! Hostile scripts, actions and repos. Every case must end as its header says, and must not affect
//! the host.
//!
//! A file below `cases/` is a test, named by its path. Each case runs twice: in the program, for
//! its output, and in this process, which must run a good script after every case. Cases that
//! cannot be files are code in the other modules.
//!
//!     cargo test -p kael-tests --test hostile                      # all
//!     cargo test -p kael-tests --test hostile memory/              # those with this in their name

mod case;
mod image;
mod in_process_host;
mod memory;
mod panics;
mod repo;
mod terminal;
mod together;

use std::fs;
use std::path::Path;
use std::time::Duration;

use kael_engine::runtime::finish;
use kael_tests::{Need, is_required, needs, project};
use libtest_mimic::{Arguments, Trial};

use case::Case;

fn main() {
    let mut arguments = Arguments::from_args();
    // Each case keeps two processes busy, so more cases at once would only wait.
    arguments.test_threads.get_or_insert(2);
    let folder = project("tests/hostile/cases");
    let mut trials = Vec::new();
    cases(&folder, &folder, &mut trials);
    trials.extend(repo::trials());
    trials.extend(image::trials());
    trials.extend(terminal::trials());
    trials.extend(together::trials());
    trials.extend(memory::trials());
    trials.extend(panics::trials());
    let names = trials
        .iter()
        .map(|trial| trial.name().to_owned())
        .collect::<Vec<_>>();
    trials.push(trial(
        "security/every_test_of_the_table_exists",
        move || table(&names),
    ));
    let conclusion = libtest_mimic::run(&arguments, trials);
    finish(Duration::from_secs(3));
    conclusion.exit();
}

fn cases(folder: &Path, root: &Path, trials: &mut Vec<Trial>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .expect("the cases are there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            cases(&path, root, trials);
            continue;
        }
        let name = path
            .strip_prefix(root)
            .expect("below")
            .with_extension("")
            .display()
            .to_string();
        trials.push(trial(&name, move || Case::read(&path).run()));
    }
}

/// Checks that every test which SECURITY.md names exists.
fn table(names: &[String]) {
    let text = fs::read_to_string(project("SECURITY.md")).expect("it is there");
    let rows = text.split("## Hostile classes").nth(1).expect("the table");
    let rows = rows.split("\n## ").next().expect("its end");
    let patterns: Vec<&str> = rows
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains('/') && !word.contains(' ') && !word.starts_with('.'))
        .collect();
    assert!(patterns.len() > 50, "{patterns:?}");
    for pattern in patterns {
        assert!(
            names.iter().any(|name| case::matches(pattern, name)),
            "SECURITY.md names `{pattern}`, and there is no such test"
        );
    }
    assert!(names.len() >= 120);
}

/// The same for a test that needs a feature. Without the feature the test is ignored, or fails if
/// `KAEL_REQUIRE` names it. The feature is checked only if the test runs.
fn trial_with(need: Need, name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    let arguments = Arguments::from_args();
    let runs = match &arguments.filter {
        None => true,
        Some(filter) if arguments.exact => filter == name,
        Some(filter) => name.contains(filter.as_str()),
    };
    if !runs || arguments.list || need.is_met() {
        return trial(name, test);
    }
    if is_required(need) {
        return trial(name, move || _ = needs(&[need]));
    }
    _ = needs(&[need]);
    trial(name, test).with_ignored_flag(true)
}

/// A test that fails with a panic.
fn trial(name: &str, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}
