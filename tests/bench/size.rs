//! Sizes: the program, the component in it, and the memory of the hello example.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use kael_tests::{Kael, Program, project};

use super::measure::{Effort, Pairs, Result, Row};

const MIB: f64 = (1 << 20) as f64;
const RESIDENT: f64 = 20.0;
const BINARY: f64 = 15.0;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = vec![
        weighed(
            "size: the component",
            fs::metadata(project("guest/kael-guest.wasm"))?.len() as f64 / MIB,
        ),
        resident(effort)?,
    ];
    if !effort.short {
        // The full form measures the profile `dist`, which users get.
        rows.push(weighed(
            "size: the binary, stripped",
            stripped(&Program::get().host)?,
        ));
        let small = stripped(&small()?)?;
        rows.push(
            weighed("size: the same without the compiler, small", small)
                .aims(format!("{BINARY:.0} MiB"), small <= BINARY),
        );
    }
    Ok(rows)
}

/// A size in MiB, compared with one MiB.
fn weighed(name: &str, mib: f64) -> Row {
    let mut pairs = Pairs::default();
    pairs.push(mib, 1.0);
    Row::new(name, format!("{mib:.2} MiB"), "1 MiB", &pairs)
}

/// The size of a program without symbols, in MiB.
fn stripped(program: &Path) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let bare = folder.path().join("stripped");
    let done = Command::new("strip")
        .arg("-o")
        .arg(&bare)
        .arg(program)
        .status()?;
    if !done.success() {
        return Err(format!("strip: {done}").into());
    }
    Ok(fs::metadata(bare)?.len() as f64 / MIB)
}

/// Builds the host without the compiler, optimised for size. Returns its path.
fn small() -> Result<std::path::PathBuf> {
    let target = project("target/bench/small");
    let built = Command::new(env!("CARGO"))
        .current_dir(project("."))
        .args([
            "build",
            "--profile",
            "small",
            "--locked",
            "--quiet",
            "-p",
            "kael-host",
        ])
        .arg("--no-default-features")
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    if !built.success() {
        return Err("the host without the compiler does not build".into());
    }
    Ok(target.join("small/kael-host"))
}

/// The peak memory of the hello example in MiB, measured by Python's `resource`.
fn resident(effort: Effort) -> Result<Row> {
    let code = "import resource, subprocess, sys\n\
                subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n\
                print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let hello = project("examples/hello");
    let session = Kael::new();
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(8) {
        let host = session.command();
        let mut python = Command::new("python3");
        python.args(["-c", code]).arg(host.get_program());
        for (name, value) in host.get_envs() {
            if let Some(value) = value {
                python.env(name, value);
            }
        }
        let output = python
            .arg("--actions")
            .arg(hello.join("actions"))
            .arg("run")
            .arg(hello.join("script.lua"))
            .stderr(Stdio::inherit())
            .output()?;
        let kib: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
        pairs.push(kib / 1024.0, 1.0);
    }
    let mib = pairs.what();
    // The program of the profile `release` is larger than what users get, and so are its pages.
    let name = match effort.short {
        true => "size: peak memory of hello, release",
        false => "size: peak memory of hello",
    };
    Ok(Row::new(name, format!("{mib:.1} MiB"), "1 MiB", &pairs)
        .aims(format!("{RESIDENT:.0} MiB"), mib <= RESIDENT))
}
