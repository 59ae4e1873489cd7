//! Does one thing that a test asks for, and says what came of it: `{ "do": "read", "path": "/data/x" }`.

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "sockets")]
mod sockets;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::{env, fs, io, process};

use serde_json::{Value, json};

fn outcome(result: io::Result<Value>) -> Value {
    result.unwrap_or_else(|error| json!({ "refused": problem.kind().to_string() }))
}

#[inline(never)]
fn innermost(values: &[u8], at: usize) -> u8 {
    values[at]
}

fn answer(params: &Value) -> Value {
    let text = |name: &str| params[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| params[name].as_u64().unwrap_or_default();
    let path = text("path");
    match text("do").as_str() {
        "echo" => params.clone(),
        "env" => json!(env::vars().collect::<BTreeMap<_, _>>()),
        "args" => json!(env::args().count()),
        "read" => outcome(fs::read_to_string(path).map(Value::from)),
        "list" => outcome(fs::read_dir(path).map(|entries| {
            let mut names: Vec<_> = entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect();
            names.sort();
            json!(names)
        })),
        "write" => outcome(fs::write(path, text("text")).map(|()| json!("written"))),
        "append" => outcome(
            fs::File::options()
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(text("text").as_bytes()))
                .map(|()| json!("written")),
        ),
        "rename" => outcome(fs::rename(path, text("to")).map(|()| json!("renamed"))),
        "remove" => outcome(fs::remove_file(path).map(|()| json!("removed"))),
        "mkdir" => outcome(fs::create_dir(path).map(|()| json!("made"))),
        "link" => outcome(fs::hard_link(path, text("to")).map(|()| json!("linked"))),
        #[expect(deprecated, reason = "the one that WASI has")]
        "symlink" => outcome(fs::soft_link(path, text("to")).map(|()| json!("linked"))),
        // Reads a file again and again: what it finds, and how often.
        "reread" => {
            let mut seen = BTreeMap::<String, u64>::new();
            for _ in 0..number("times") {
                let found = fs::read_to_string(&path).unwrap_or_else(|_| "refused".to_owned());
                *seen.entry(found).or_default() += 1;
            }
            json!(seen)
        }
        "open" => {
            let files: io::Result<Vec<_>> = (0..number("times")).map(|_| fs::File::open(&path)).collect();
            outcome(files.map(|files| json!(files.len())))
        }
        "spin" => loop {
            std::hint::black_box(0);
        },
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_millis(number("ms")));
            json!("slept")
        }
        "allocate" => json!(vec![1_u8; number("bytes") as usize].iter().map(|byte| u64::from(*byte)).sum::<u64>()),
        "flood" => loop {
            if io::stdout().write_all(&[b' '; 65536]).is_err() {
                process::exit(3);
            }
        },
        "grumble" => {
            for line in 0..number("lines") {
                eprintln!("line {line}");
            }
            process::exit(7)
        }
        "index" => json!(innermost(&[1, 2, 3], number("at") as usize)),
        "recurse" => json!(recurse(number("deep"))),
        "exit" => process::exit(number("code") as i32),
        #[cfg(feature = "sockets")]
        "connect" => sockets::connect(&text("host"), number("port") as u16),
        #[cfg(feature = "sockets")]
        "listen" => sockets::listen(),
        #[cfg(feature = "sockets")]
        "send" => sockets::send(&text("host"), number("port") as u16),
        #[cfg(feature = "http")]
        "fetch" => http::fetch(params),
        #[cfg(feature = "http")]
        "fetch-many" => http::fetch_many(params),
        #[cfg(feature = "http")]
        "abandon" => http::abandon(params),
        other => json!({ "error": format!("what is `{other}`?") }),
    }
}

#[inline(never)]
fn recurse(deep: u64) -> u64 {
    let here = std::hint::black_box([deep; 64]);
    if deep == 0 { 0 } else { recurse(deep - 1) + here[7] % 2 }
}

fn main() {
    let params = serde_json::from_reader(io::stdin().lock()).expect("JSON");
    println!("{}", answer(&params));
}
