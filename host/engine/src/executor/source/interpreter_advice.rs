//! How a person gets an interpreter that this machine lacks.

use super::command_line::base;

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
