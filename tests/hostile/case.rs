//! A case: a Lua file whose header says what it is allowed and how it must end.
//!
//!     -- What it tries.
//!     -- options: --max-memory 32MiB
//!     -- action: echo timeout = 5 | cat
//!     -- ends: limit 5
//!     -- message: the script needs more memory than the 32 MiB it may use (it asked for *)
//!     -- output: a line\n
//!
//! `ends` is the kind of the report's error, or `ok`, and the exit code. In `message` and `output`
//! a `*` stands for any text, and control characters are written as escapes. Without `output` the
//! script may print nothing. A line `---- PATH` begins another file of the session; one named
//! `script.lua` takes the place of the case itself.

use std::fs;
use std::path::Path;

use kael_tests::Kael;
use serde_json::Value;

use crate::in_process_host::{self, Host};

/// The options of a case without its own.
const USUAL_OPTIONS: [[&str; 2]; 2] = [["--max-cpu", "20s"], ["--timeout", "60s"]];

#[derive(Default)]
pub(crate) struct Case {
    options: Vec<String>,
    /// The name, the fields for `define_action`, and the shell code.
    actions: Vec<(String, String, String)>,
    kind: String,
    code: i32,
    message: String,
    output: String,
    files: Vec<(String, String)>,
}

impl Case {
    pub(crate) fn read(path: &Path) -> Self {
        Self::parse(&fs::read_to_string(path).expect("a case is text"))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut case = Self::default();
        let header = text.lines().map_while(|line| line.strip_prefix("-- "));
        for (key, value) in header.filter_map(|line| line.split_once(": ")) {
            case.header(key, value);
        }
        for [option, value] in USUAL_OPTIONS {
            if !case.options.iter().any(|given| given == option) {
                case.options.extend([option.to_owned(), value.to_owned()]);
            }
        }
        assert!(!case.kind.is_empty(), "the header does not say how it ends");
        let mut sections = text.split("\n---- ");
        let script = sections.next().unwrap_or_default();
        case.files
            .push(("script.lua".to_owned(), script.to_owned()));
        for section in sections {
            let (path, content) = section.split_once('\n').expect("a file has a name");
            case.files.retain(|(other, _)| other != path);
            case.files.push((path.to_owned(), content.to_owned()));
        }
        case
    }

    fn header(&mut self, key: &str, value: &str) {
        match key {
            "options" => self.options.extend(value.split(' ').map(str::to_owned)),
            "action" => {
                let (head, code) = value.split_once(" | ").expect("NAME FIELDS | CODE");
                let (name, fields) = head.split_once(' ').unwrap_or((head, ""));
                self.actions
                    .push((name.to_owned(), fields.to_owned(), code.to_owned()));
            }
            "ends" => {
                let (kind, code) = value.split_once(' ').expect("KIND CODE");
                self.kind = kind.to_owned();
                self.code = code.parse().expect("an exit code");
            }
            "message" => self.message = value.to_owned(),
            "output" => self.output = value.to_owned(),
            _ => {} // prose
        }
    }

    /// Runs the case in the program and in this process. Then checks that the host has not changed.
    pub(crate) fn run(&self) {
        self.by_the_program();
        let host = Host::get();
        let inside = host.run(self.session().path(), &self.options);
        self.compare(
            "within a living host",
            &inside.kind,
            &inside.message,
            &inside.output,
        );
        host.is_well();
    }

    fn by_the_program(&self) {
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let session = self.session().run_with(&["--json"]).words(&options);
        let folder = session.path().display().to_string();
        let ran = session.words(&["script.lua"]).ends();
        ran.no_panic();
        let report: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
        let error = &report["error"];
        let kind = error["kind"].as_str().unwrap_or("ok");
        let message = error["message"]
            .as_str()
            .unwrap_or_default()
            .replace(&folder, "DIR");
        self.compare(
            "by the program",
            kind,
            &message,
            report["output"].as_str().unwrap_or_default(),
        );
        assert_eq!(ran.code, self.code, "the exit code");
        if kind == "limit" {
            assert!(
                error["limit"].is_string() && error["hint"].is_string(),
                "{error}"
            );
        }
        assert!(
            in_process_host::gone(&folder),
            "a process of the run is alive"
        );
    }

    /// Writes the files of the case.
    fn session(&self) -> Kael {
        let mut session = Kael::new();
        for (path, content) in &self.files {
            session = session.file(path, content);
        }
        let own_repo = session.path().join("actions/init.lua").exists();
        for (name, fields, code) in &self.actions {
            session = if own_repo {
                session.program(&format!("impl/{name}.sh"), &format!("#!/bin/sh\n{code}\n"))
            } else {
                session.shell(name, fields, code)
            };
        }
        if own_repo {
            session = session.option(&["--actions", "actions"]);
        }
        session.write_repo();
        // Marks every process that an action starts.
        let folder = session.path().display().to_string();
        session.env("HOME", &folder)
    }

    #[track_caller]
    fn compare(&self, how: &str, kind: &str, message: &str, output: &str) {
        let (message, output) = (escaped(message), escaped(output));
        let shown = format!("{how}: {kind}: {message}\noutput: {output}");
        assert_eq!(kind, self.kind, "{shown}");
        assert!(
            matches(&self.message, &message),
            "{shown}\nnot as in message: {}",
            self.message
        );
        assert!(
            matches(&self.output, &output),
            "{shown}\nnot as in output: {}",
            self.output
        );
    }
}

/// Writes control characters as escapes.
fn escaped(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

/// Whether a text matches a pattern in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    text.strip_prefix(head).is_some_and(|tail| {
        tail.char_indices()
            .map(|(at, _)| at)
            .chain([tail.len()])
            .any(|at| matches(rest, &tail[at..]))
    })
}
