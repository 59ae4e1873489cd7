//! The traces of a failed action for a person: how its process ended, and its last lines.

use super::sanitize::escape_control;
use kael_engine::failure::Detail;
use kael_engine::text::shorten;

/// Lines of a stream to show.
const LINES: usize = 10;
/// Characters of a line to show.
const WIDTH: usize = 300;
/// Characters of output to show if it is not a result.
const BEGINNING: usize = 200;

/// Indented lines. Empty if the message says all of it.
pub(super) fn of_process(detail: &Detail, message: &str) -> String {
    let mut out = String::new();
    // Without a status or a signal, the action succeeded and its output could not be read.
    let no_result = detail.exit_code.is_none_or(|status| status == 0) && detail.signal.is_none();
    let ended = detail
        .ended()
        .filter(|ended| !no_result && !message.contains(ended.as_str()));
    if let Some(ended) = &ended {
        out += &format!("  it {ended}\n");
    }
    out += &stream("stderr", &detail.stderr, message);
    if no_result && !detail.stdout.is_empty() && !message.contains("timed out") {
        let beginning: String = detail.stdout.chars().take(BEGINNING).collect();
        out += &block("its stdout begins", beginning.lines().collect());
    } else if detail.stderr.trim().is_empty() {
        out += &stream("stdout", &detail.stdout, message);
    }
    out
}

/// The end of a stream. Empty if the message is all of it.
fn stream(name: &str, text: &str, message: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let said = match &lines[..] {
        [] => true,
        [one] => message.contains(one.trim()),
        _ => text.trim().is_empty(),
    };
    if said {
        return String::new();
    }
    let from = lines.len().saturating_sub(LINES);
    let words = match from {
        0 => format!("its {name}"),
        _ => format!("the last lines of its {name}"),
    };
    block(&words, lines[from..].to_vec())
}

fn block(words: &str, lines: Vec<&str>) -> String {
    let mut out = format!("  {words}:\n");
    for line in lines {
        let shown = shorten(line.trim_end(), WIDTH);
        out += &format!("  | {}\n", escape_control(&shown));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_message_leaves_out_is_told() {
        let detail = |exit_code, signal, stderr: &str, stdout: &str| Detail {
            exit_code,
            signal,
            stderr: stderr.to_owned(),
            stdout: stdout.to_owned(),
            ..Detail::default()
        };
        let (some, none) = (Some, None::<i32>);
        for (detail, message, expected) in [
            (
                detail(some(7), none, "no host\n", ""),
                "a failed: no host",
                "  it exited with status 7\n",
            ),
            (
                detail(some(7), none, "one\n\x1b[2Jtwo\n", "x"),
                "a failed: two",
                "  it exited with status 7\n  its stderr:\n  | one\n  | \\u{1b}[2Jtwo\n",
            ),
            (
                detail(some(3), none, "", ""),
                "a failed: exited with status 3",
                "",
            ),
            (
                detail(some(2), none, "", "DISK CRITICAL\n"),
                "a failed: exited with status 2",
                "  its stdout:\n  | DISK CRITICAL\n",
            ),
            (
                detail(none, some(9), "step 3\n", ""),
                "a failed: was ended by signal 9 (SIGKILL); it said last: step 3",
                "",
            ),
            (
                detail(some(0), none, "warned\n", "connecting…\n{}\n"),
                "a failed: printed what is not JSON",
                "  its stderr:\n  | warned\n  its stdout begins:\n  | connecting…\n  | {}\n",
            ),
        ] {
            assert_eq!(of_process(&detail, message), expected, "{message}");
        }
        let many: String = (0..20).map(|n| format!("{n}\n")).collect();
        let told = of_process(&detail(some(1), none, &many, ""), "a failed: 19");
        assert!(
            told.starts_with(
                "  it exited with status 1\n  the last lines of its stderr:\n  | 10\n"
            )
        );
    }
}
