//! The error that ended a program, in what its language prints of one that nothing caught.

use crate::catalog::Language;

/// A line, and where the trace that it belongs to ends.
struct Found {
    line: String,
    end: usize,
}

/// The line that names the error. Python's and Node's own programs say it in one way; of others a
/// trace counts that nothing but a remark follows, as what they started may have failed without
/// being the reason.
pub(super) fn uncaught(lines: &[&str], language: Language) -> Option<String> {
    let all = [python, node, panic, ruby, lua, php, java];
    let own = match language {
        Language::Python => python(lines),
        Language::Node => node(lines),
        Language::Shell | Language::Other => None,
    };
    let found = own.or_else(|| {
        let found = all.iter().filter_map(|read| read(lines));
        let last = found.max_by_key(|found| found.end)?;
        let after = lines.get(last.end..).unwrap_or_default();
        after.iter().all(|line| is_remark(line)).then_some(last)
    })?;
    Some(found.line)
}

/// What may stand behind a trace without being another reason.
fn is_remark(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || [
            "Node.js v",
            "note: ",
            "exit status ",
            "Killed",
            "Aborted",
            "(Use `node",
        ]
        .iter()
        .any(|start| line.starts_with(start))
}

fn indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

/// `pkg.SomeError: why`, or the name alone.
fn is_exception(line: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or_default();
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let alone = name.len() == line.len() || line[name.len()..].starts_with(": ");
    alone && !name.is_empty() && name.split('.').all(part)
}

/// The last `Traceback`, whose frames are indented; what follows them names the exception. A syntax
/// error has frames alone.
fn python(lines: &[&str]) -> Option<Found> {
    let ignored = |at: usize| at > 0 && lines[at - 1].starts_with("Exception ignored in");
    let begin = lines.iter().enumerate().rposition(|(at, line)| {
        line.starts_with("Traceback (most recent call last):") && !ignored(at)
    });
    if let Some(begin) = begin {
        let after = lines[begin + 1..].iter();
        let at = after
            .clone()
            .position(|line| !line.is_empty() && !indented(line))?;
        let line = lines[begin + 1 + at];
        // A trace that was logged is followed by why the program gave up.
        let gave_up = lines[begin + at + 2..].iter().rev().find(|line| {
            let line = line.to_lowercase();
            ["fatal", "error:", "abort"]
                .iter()
                .any(|word| line.starts_with(word))
        });
        return is_exception(line).then(|| Found {
            line: (*gave_up.unwrap_or(&line)).to_owned(),
            end: begin + at + 2,
        });
    }
    if let Some(at) = lines
        .iter()
        .rposition(|line| line.trim_start().starts_with("+ Exception Group Traceback"))
    {
        let at = at
            + lines[at..]
                .iter()
                .position(|line| line.contains("ExceptionGroup: "))?;
        let line = lines[at].trim_start_matches([' ', '|']).to_owned();
        // What is in the group follows, and ends with a line of its frame.
        let end = lines
            .iter()
            .rposition(|line| line.trim_start().starts_with('+'));
        return Some(Found {
            line,
            end: end.unwrap_or(at) + 1,
        });
    }
    let at = lines.iter().rposition(|line| {
        let name = line.split(':').next().unwrap_or_default();
        matches!(name, "SyntaxError" | "IndentationError" | "TabError")
    })?;
    let frame = lines[..at].iter().rev().take(4);
    frame
        .clone()
        .any(|line| line.starts_with("  File \""))
        .then(|| Found {
            line: lines[at].to_owned(),
            end: at + 1,
        })
}

/// Node ends with its version; the error stands behind the carets below the line of source, or in
/// front of its frames.
fn node(lines: &[&str]) -> Option<Found> {
    let version = lines.iter().rposition(|line| line.starts_with("Node.js v"));
    if let Some(version) = version {
        let carets = |line: &&str| {
            let line = line.trim();
            !line.is_empty() && line.chars().all(|c| c == '^')
        };
        let before = &lines[..version];
        // The first of them: source that an error quotes may have others.
        let from = before
            .iter()
            .rposition(|line| is_source_place(line))
            .unwrap_or(0);
        if let Some(at) = before[from..].iter().position(carets) {
            let message = before[from + at + 1..]
                .iter()
                .find(|line| !line.is_empty())?;
            return Some(Found {
                line: rejection(message).to_owned(),
                end: version + 1,
            });
        }
    }
    let is_frame =
        |line: &str| indented(line) && line.trim_start().starts_with("at ") && line.contains(':');
    let last = lines.iter().rposition(|line| is_frame(line))?;
    let top = lines[..last].iter().rposition(|line| {
        !indented(line)
            && !line.starts_with("Caused by")
            && is_exception(line.trim_start_matches("Uncaught "))
    })?;
    let (from, to) = (top + 1, lines.len().min(top + 20));
    lines[from..to]
        .iter()
        .any(|line| is_frame(line))
        .then(|| Found {
            line: lines[top].trim_start_matches("Uncaught ").to_owned(),
            end: version.unwrap_or(last) + 1,
        })
}

/// `/path/to/file.js:12`, with which Node begins.
fn is_source_place(line: &str) -> bool {
    let Some((path, number)) = line.rsplit_once(':') else {
        return false;
    };
    let file =
        path.starts_with(['/', '.']) || path.starts_with("node:") || path.starts_with("file:");
    file && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a promise was rejected with, where that was no error.
fn rejection(message: &str) -> &str {
    let reason = message
        .split_once("with the reason \"")
        .and_then(|(_, reason)| reason.rsplit_once("\"."));
    match (message.starts_with("[UnhandledPromiseRejection"), reason) {
        (true, Some((reason, _))) => reason,
        _ => message,
    }
}

/// Go says it in one line; Rust in the line below the place.
fn panic(lines: &[&str]) -> Option<Found> {
    let go = |line: &&str| line.starts_with("panic: ") || line.starts_with("fatal error: ");
    let traced = lines.iter().any(|line| line.starts_with("goroutine "));
    if let (Some(at), true) = (lines.iter().position(go), traced) {
        let end = lines.iter().rposition(|line| indented(line)).unwrap_or(at);
        return Some(Found {
            line: lines[at].to_owned(),
            end: end.max(at) + 1,
        });
    }
    let at = lines
        .iter()
        .rposition(|line| line.starts_with("thread '") && line.contains("panicked at "))?;
    let message = lines.get(at + 1).filter(|line| !line.is_empty())?;
    let told = ["stack backtrace:", "note: "];
    let trace = |line: &&str| {
        indented(line) || line.is_empty() || told.iter().any(|start| line.starts_with(start))
    };
    let more = lines[at + 2..]
        .iter()
        .take_while(|line| trace(line))
        .count();
    Some(Found {
        line: format!("panicked: {message}"),
        end: at + 2 + more,
    })
}

/// `file.rb:1:in 'call': why (RuntimeError)`, and then from where.
fn ruby(lines: &[&str]) -> Option<Found> {
    let from = |line: &str| indented(line) && line.trim_start().starts_with("from ");
    let last = lines.iter().rposition(|line| from(line))?;
    let first = last
        - lines[..last]
            .iter()
            .rev()
            .take_while(|line| from(line))
            .count();
    let line = lines.get(first.checked_sub(1)?)?;
    line.contains(".rb:").then(|| Found {
        line: (*line).to_owned(),
        end: last + 1,
    })
}

/// `lua: file.lua:1: why`, and then the stack.
fn lua(lines: &[&str]) -> Option<Found> {
    let at = lines
        .iter()
        .rposition(|line| line.starts_with("stack traceback:"))?;
    let line = lines[..at].last().filter(|line| line.starts_with("lua"))?;
    let frames = lines[at + 1..]
        .iter()
        .take_while(|line| indented(line))
        .count();
    Some(Found {
        line: (*line).to_owned(),
        end: at + 1 + frames,
    })
}

/// `PHP Fatal error:  Uncaught …`, and then the stack.
fn php(lines: &[&str]) -> Option<Found> {
    let at = lines
        .iter()
        .rposition(|line| line.contains("Fatal error: "))?;
    let trace = |line: &&str| {
        line.starts_with('#')
            || indented(line)
            || line.is_empty()
            || line.starts_with("Stack trace")
    };
    let frames = lines[at + 1..]
        .iter()
        .take_while(|line| trace(line))
        .count();
    Some(Found {
        line: lines[at].to_owned(),
        end: at + 1 + frames,
    })
}

/// `Exception in thread "main" …`, and then the stack with its causes.
fn java(lines: &[&str]) -> Option<Found> {
    let at = lines
        .iter()
        .rposition(|line| line.starts_with("Exception in thread \""))?;
    let trace = |line: &&str| indented(line) || line.starts_with("Caused by: ");
    let frames = lines[at + 1..]
        .iter()
        .take_while(|line| trace(line))
        .count();
    Some(Found {
        line: lines[at].to_owned(),
        end: at + 1 + frames,
    })
}

#[cfg(test)]
mod tests;
