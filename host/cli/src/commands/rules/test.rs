//! `kael-host rules test`: runs the tests of packages.

use std::fmt::Write as _;

use serde_json::json;
use std::sync::Arc;

use super::args::Test;
use super::load::{options, read, refuse, runtime, unusable};
use crate::args::Shared;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_rules::engine::WasmEngine;
use kael_rules::test_run::{self, TestFile};

pub(super) fn run(shared: &Shared, test: &Test, wasm: &Arc<WasmEngine>) -> u8 {
    evaluate(shared, test, wasm).unwrap_or_else(|code| code)
}

fn evaluate(shared: &Shared, test: &Test, wasm: &Arc<WasmEngine>) -> Result<u8, u8> {
    let loaded = read(shared, &test.set.folders, test.set.schema.as_deref(), None)?;
    let runtime = runtime(shared, 2)?;
    let mut files = Vec::new();
    let mut untested = Vec::new();
    for package in &loaded.packages {
        let options = options(wasm, 1, None);
        let run_tests = match test.both && package.other.is_some() {
            true => test_run::both,
            false => test_run::run,
        };
        let ran = run_tests(&runtime, &loaded.schema, package, &options)
            .map_err(|problems| refuse(shared, &problems))?;
        if ran.is_empty() {
            untested.push(package.manifest.rule_id.clone());
        }
        files.extend(ran);
    }
    let failed = files
        .iter()
        .filter(|file| !file.mismatches.is_empty())
        .count();
    let code = if failed == 0 {
        exit::SUCCESS
    } else {
        exit::SCRIPT_FAILED
    };
    if let Some(path) = &test.junit {
        std::fs::write(path, junit(&files)).map_err(|error| unusable(shared, path, &error))?;
    }
    if test.json {
        let document = json!({
            "ok": failed == 0,
            "exit_code": code,
            "files": files.iter().map(document).collect::<Vec<_>>(),
            "untested": untested,
        });
        return Ok(say_json(&document, code));
    }
    let mut out = String::new();
    for file in &files {
        let name = escape_control(&file.file);
        if file.mismatches.is_empty() {
            _ = writeln!(out, "ok {name} ({} events)", file.events);
        }
        for mismatch in &file.mismatches {
            let message = escape_control(&mismatch.message);
            _ = writeln!(out, "FAILED {name}:{}: {message}", mismatch.line);
        }
    }
    for rule in &untested {
        _ = writeln!(out, "{rule} has no tests");
    }
    _ = writeln!(
        out,
        "{} of {} files pass",
        files.len() - failed,
        files.len()
    );
    Ok(say(&out, code))
}

fn document(file: &TestFile) -> serde_json::Value {
    let mismatch = |mismatch: &test_run::Mismatch| json!({ "line": mismatch.line, "message": mismatch.message });
    json!({
        "rule": file.rule_id,
        "file": file.file,
        "events": file.events,
        "ok": file.mismatches.is_empty(),
        "mismatches": file.mismatches.iter().map(mismatch).collect::<Vec<_>>(),
    })
}

fn junit(files: &[TestFile]) -> String {
    let failures = files
        .iter()
        .filter(|file| !file.mismatches.is_empty())
        .count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    _ = writeln!(
        out,
        "<testsuite name=\"kael-host rules test\" tests=\"{}\" failures=\"{failures}\">",
        files.len()
    );
    for file in files {
        _ = write!(
            out,
            "  <testcase classname=\"{}\" name=\"{}\"",
            xml(&file.rule_id),
            xml(&file.file)
        );
        if file.mismatches.is_empty() {
            out.push_str("/>\n");
            continue;
        }
        let lines = file.mismatches.iter();
        let lines = lines.map(|one| format!("line {}: {}", one.line, one.message));
        let text = lines.collect::<Vec<_>>().join("\n");
        _ = write!(
            out,
            ">\n    <failure>{}</failure>\n  </testcase>\n",
            xml(&text)
        );
    }
    out.push_str("</testsuite>\n");
    out
}

/// Text for XML; characters that it cannot have become U+FFFD.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
