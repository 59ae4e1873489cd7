//! The program `kael-host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kael_host::main()
}
