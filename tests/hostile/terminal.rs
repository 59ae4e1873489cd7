//! Nothing that a script prints, names or returns can control the terminal.

use std::process::Command;

use kael_tests::{Kael, Program};
use libtest_mimic::Trial;

use crate::in_process_host::Host;
use crate::trial;

/// A Python program that runs kael-host on a pseudo-terminal, and passes on its output.
const ON_A_TERMINAL: &str =
    "import pty, sys, os\nsys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// The output of `kael-host run` on a terminal, and its exit code.
fn shown(options: &[&str], source: &str) -> (Vec<u8>, i32) {
    let session = Kael::new().file("script.lua", source);
    let output = Command::new("python3")
        .args(["-c", ON_A_TERMINAL])
        .arg(&Program::get().host)
        .arg("run")
        .args(options)
        .arg("script.lua")
        .current_dir(session.path())
        .output()
        .expect("python3 starts");
    Host::get().is_well();
    (output.stdout, output.status.code().unwrap_or(-1))
}

/// Asserts that the output has only text, line breaks and tabs.
#[track_caller]
fn tame(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec())
        .expect("UTF-8")
        .replace("\r\n", "\n");
    let wild = text.chars().find(|c| {
        c.is_control() && *c != '\n' && *c != '\t' || ('\u{202a}'..='\u{202e}').contains(c)
    });
    assert_eq!(wild, None, "{text:?}");
    text
}

const WILD: &str = r"'\27[2J\27]0;x\7\rfake\8\u{9b}31m\u{202e}\127'";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("terminal/what_is_printed_is_made_visible", || {
            let (bytes, code) = shown(&[], &format!("print('a\\tb', {WILD})"));
            assert_eq!(code, 0);
            assert_eq!(
                tame(&bytes),
                "a\tb\t\\u{1b}[2J\\u{1b}]0;x\\u{7}\\u{d}fake\\u{8}\\u{9b}31m\\u{202e}\\u{7f}\n"
            );
        }),
        trial("terminal/what_is_raised_is_made_visible", || {
            let (bytes, code) = shown(&[], &format!("error({WILD} .. '\\nError: fake', 0)"));
            assert_eq!(code, 1);
            assert!(tame(&bytes).starts_with("Error: \\u{1b}[2J"), "{bytes:?}");
            assert!(tame(&bytes).contains("\n  Error: fake\n"), "{bytes:?}");
        }),
        trial("terminal/what_is_named_is_made_visible", || {
            let (bytes, code) = shown(&["-v"], &format!("load('error(1)', '=' .. {WILD})()"));
            assert_eq!(code, 1);
            tame(&bytes);
        }),
        trial("terminal/what_is_reported_is_made_visible", || {
            let (bytes, code) = shown(
                &["--json"],
                &format!("print({WILD}) return {{ [{WILD}] = {WILD} }}"),
            );
            assert_eq!(code, 0);
            let report: serde_json::Value = serde_json::from_str(&tame(&bytes)).expect("JSON");
            let result = report["result"].as_object().expect("an object");
            assert!(result.values().all(|value| {
                value
                    .as_str()
                    .is_some_and(|text| text.starts_with("\x1b[2J"))
            }));
        }),
        trial("terminal/arguments_that_drive_it_are_made_visible", || {
            let (bytes, code) = shown(&["\x1b[2J.lua"], "");
            assert_eq!(code, 2);
            tame(&bytes);
        }),
    ]
}
