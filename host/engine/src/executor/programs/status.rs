//! How an action's process ended, from the last line that its runner writes to stderr.

/// How the action's process ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    Exited(i32),
    Signaled(i32),
    TimedOut,
}

/// Tells the action's own stderr from the status that its runner writes behind it. The action need
/// not have ended its last line.
pub(super) fn split(stderr: &str) -> Option<(&str, Status)> {
    let text = stderr.trim_end_matches('\n');
    let last_line = text.rfind('\n').map_or(0, |at| at + 1);
    if let Some(at) = text[last_line..].rfind("Error: Container execution timed out after ") {
        return Some((&stderr[..last_line + at], Status::TimedOut));
    }
    let (at, said) = ["Process", "Container"].iter().find_map(|who| {
        let words = format!("Error: {who} exited with non-zero status: ");
        let at = last_line + text[last_line..].rfind(&words)?;
        Some((at, &text[at + words.len()..]))
    })?;
    let number = |name: &str| {
        said.strip_prefix(name)?
            .strip_prefix('(')?
            .strip_suffix(')')?
            .parse()
            .ok()
    };
    let status = number("Exited")
        .map(Status::Exited)
        .or_else(|| number("Signaled").map(Status::Signaled))?;
    Some((&stderr[..at], status))
}
