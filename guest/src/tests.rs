//! Tests of the runtime's Lua files, run natively with a host that has its own clock.

use std::collections::BTreeMap;

use crate::bindings::exports::kael::engine::runtime::{
    Definition, Module, Repo, Script, ScriptError,
};
use crate::bindings::kael::engine::actions::{ActionError, Call, Completion, ErrorKind};
use crate::gate::{self, Outcome, transport};
use crate::run;
use crate::vm::Vm;

/// Answers calls in virtual time: `t.sleep { ms = N }` completes N milliseconds after it started.
#[derive(Default)]
struct Host {
    now: u64,
    /// Future completions, by time and then by call.
    due: BTreeMap<(u64, u32), Outcome>,
    printed: std::rc::Rc<std::cell::RefCell<String>>,
    /// Tables and charts that the script showed.
    shown: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
    /// How often the script asked whether its evaluation must end. The third answer is yes.
    asked: u32,
}

thread_local! {
    /// The tables and charts of the last script.
    static SHOWN: std::cell::RefCell<std::rc::Rc<std::cell::RefCell<Vec<String>>>> = std::cell::RefCell::default();
}

/// Tables and charts of the last script.
fn shown() -> Vec<String> {
    SHOWN.with_borrow(|shown| shown.borrow().clone())
}

fn failed(message: &str) -> Outcome {
    Err(ActionError {
        kind: ErrorKind::Failed,
        message: message.to_owned(),
        detail: Some(r#"{"exit_code":1,"stderr":"x\n"}"#.to_owned()),
    })
}

impl Host {
    fn interrupted(&mut self) -> bool {
        self.asked += 1;
        self.asked > 2
    }

    fn start(&mut self, call: &Call) -> (u64, Outcome) {
        let params: serde_json::Value = serde_json::from_str(&call.params).unwrap_or_default();
        let ms = params["ms"].as_u64().unwrap_or(0);
        match call.name.as_str() {
            "kael.print" => {
                self.printed.borrow_mut().push_str(&call.params);
                (0, Ok("null".to_owned()))
            }
            "kael.print-bytes" => {
                let shown = call
                    .params
                    .chars()
                    .map(|c| format!("<{:02x}>", u32::from(c)));
                self.printed
                    .borrow_mut()
                    .push_str(&shown.collect::<String>());
                (0, Ok("null".to_owned()))
            }
            "kael.warn" => {
                self.printed
                    .borrow_mut()
                    .push_str(&format!("warning: {}\n", call.params));
                (0, Ok("null".to_owned()))
            }
            "kael.sleep" => {
                let seconds = params["seconds"].as_f64().unwrap_or(0.0);
                ((seconds * 1000.0) as u64, Ok("null".to_owned()))
            }
            // A signal comes after two seconds; a child ends after three.
            "kael.wait" => match params["timeout"].as_f64() {
                Some(time) if time < 2.0 => ((time * 1000.0) as u64, failed("no signal in time")),
                _ => (2000, Ok(format!(r#"{{"signal":{}}}"#, params["name"]))),
            },
            "kael.start" => (
                1,
                Ok(format!(
                    r#""{}""#,
                    params["name"].as_str().unwrap_or("child")
                )),
            ),
            "kael.child" => (3000, Ok(format!(r#"{{"of":{}}}"#, params["run"]))),
            "kael.status" => match params["text"].as_str() {
                Some(text) if text.len() < 20 => (0, Ok("null".to_owned())),
                _ => (0, failed("too long")),
            },
            "kael.exit" => (0, failed(&format!("it would end with {}", call.params))),
            "kael.input" => (0, Ok("bcaf\u{e9}\0".to_owned())),
            "kael.report" => {
                self.shown.borrow_mut().push(call.params.clone());
                (0, Ok("null".to_owned()))
            }
            "kael.seed" => (0, Ok("42".to_owned())),
            "kael.interrupted" => (0, Ok(self.interrupted().to_string())),
            "kael.clock" => (
                0,
                Ok(format!(r#"{{"wall":{},"cpu":0}}"#, self.now as f64 / 1e3)),
            ),
            "kael.module" => (0, Ok(stdlib::source(params["name"].as_str().unwrap_or("")))),
            "t.echo" => (0, Ok(call.params.clone())),
            "t.fail" => (
                ms,
                failed(params["why"].as_str().unwrap_or("connection refused")),
            ),
            "t.sleep" => (ms, Ok(ms.to_string())),
            "t.now" => (0, Ok(self.now.to_string())),
            "t.in_flight" => (0, Ok(self.due.len().to_string())),
            name => panic!("the script called {name}"),
        }
    }

    fn run_action(&mut self, submit: &[Call], cancel: &[u32], wait: bool) -> Vec<Completion> {
        self.due.retain(|(_, id), _| !cancel.contains(id));
        for call in submit {
            let (ms, outcome) = self.start(call);
            self.due.insert((self.now + ms, call.id), outcome);
        }
        if wait && self.due.keys().all(|(at, _)| *at > self.now) {
            self.now = self
                .due
                .keys()
                .next()
                .expect("the guest waits for something")
                .0;
        }
        let later = self.due.split_off(&(self.now + 1, 0));
        let done = std::mem::replace(&mut self.due, later);
        done.into_iter()
            .map(|((_, id), outcome)| Completion { id, outcome })
            .collect()
    }
}

const REPO: &str = r#"
local t = {}
for _, name in ipairs { "echo", "fail", "sleep", "now", "in_flight" } do
  t[name] = define_action { source = "./impl", executor = "native" }
end
return { t = t }
"#;

fn module(name: &str, path: &str, source: &str) -> Module {
    Module {
        name: name.into(),
        path: path.into(),
        display: format!("repo/{path}"),
        source: source.into(),
    }
}

fn fresh() -> (Vm, std::rc::Rc<std::cell::RefCell<String>>) {
    let host = Host::default();
    let printed = host.printed.clone();
    SHOWN.set(host.shown.clone());
    let mut host = host;
    transport::answer_with(Box::new(move |submit, cancel, wait| {
        host.run_action(submit, cancel, wait)
    }));
    gate::open();
    (Vm::build().expect("the runtime is sound"), printed)
}

/// The output of a script, or its result as JSON. The repo is both evaluated and loaded from its
/// image.
fn run_in(modules: &[Module], source: &str) -> Result<String, ScriptError> {
    let evaluated = run_with(Repo::Modules(modules.to_vec()), source);
    if let Ok(Some(image)) = image(modules) {
        let restored = run_with(Repo::Image(image), source);
        assert_eq!(format!("{restored:?}"), format!("{evaluated:?}"));
    }
    evaluated
}

fn run_with(repo: Repo, source: &str) -> Result<String, ScriptError> {
    let (vm, printed) = fresh();
    let script = Script {
        name: "script.lua".into(),
        source: source.into(),
        args: vec!["one".into()],
        inputs: vec![("data".into(), b"a\xff\0".to_vec())],
        want_result: true,
    };
    run::run_script(&vm, Some(repo), &script).map(|result| {
        let printed = printed.borrow();
        if printed.is_empty() {
            result.unwrap_or_default()
        } else {
            printed.clone()
        }
    })
}

/// The image of a repo, if it has one.
fn image(modules: &[Module]) -> Result<Option<String>, ScriptError> {
    run::load_repo(&fresh().0, modules.to_vec()).map(|loaded| loaded.image)
}

/// The output of the script, or its result as JSON.
fn output(source: &str) -> String {
    match run_in(&[module("init", "init.lua", REPO)], source) {
        Ok(output) => output,
        Err(error) => panic!("{}\n{}", error.message, error.traceback.join("\n")),
    }
}

fn error_of(source: &str) -> ScriptError {
    run_in(&[module("init", "init.lua", REPO)], source).expect_err("the script fails")
}

fn definitions(modules: &[Module]) -> Result<Vec<Definition>, ScriptError> {
    run::load_repo(&fresh().0, modules.to_vec()).map(|loaded| loaded.definitions)
}

mod actions;
mod durable;
mod image;
mod jq;
mod report;
mod require;
mod rules;
mod sandbox;
mod scheduler;
mod session;
mod stdlib;
