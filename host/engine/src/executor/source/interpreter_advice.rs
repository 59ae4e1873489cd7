//! How a person gets an interpreter that this machine lacks.

/// How to get an interpreter.
pub(super) fn advice(program: &str) -> String {
    let name = program.rsplit('/').next().unwrap_or(program);
    let known = match base(name) {
        "python" => "install Python 3 (on Debian: python3)",
        "node" | "nodejs" => "install Node.js (on Debian: nodejs)",
        _ => "install it",
    };
    format!("{known}, or name another program with `interpreter`")
}

/// A program's name without its version.
pub(super) fn base(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}
