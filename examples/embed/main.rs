//! A program that embeds Kael: it runs the script of `examples/hello`, follows its calls while they
//! happen, cancels it should it take too long, and prints the report.
//!
//!     cargo run --release -p kael-tests --example embed

use std::sync::Arc;
use std::time::Duration;

use kael_engine::environment::Environment;
use kael_engine::executor::programs;
use kael_engine::gate::{CallStart, Observer, Record};
use kael_engine::run_info::Tenant;
use kael_engine::runtime::{RepoOptions, RunOptions, Runtime, finish};
use kael_engine::sandbox::{Output, Script};

struct Follow;
impl Observer for Follow {
    fn call_begins(&self, call: &CallStart) {
        println!("call {} of {}: {}", call.call, call.run.tenant, call.name);
    }
    fn call_ends(&self, call: &Record) {
        println!("call {} failed with: {:?}", call.call, call.failed);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hello = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/hello");
    // One runtime for the life of the program. Without KAEL_ENVYR, the one of `kael-host setup`.
    let kael = Runtime::builder()
        .environment(Environment::new(std::env::vars_os()))
        .programs(programs::Settings {
            envyr: std::env::var_os("KAEL_ENVYR").map(Into::into),
            ..programs::Settings::default()
        })
        .build()?;
    let actions = hello.join("actions");
    let repo = kael.repo(&actions, RepoOptions::default()).await?;
    let script = Script::new("script.lua", std::fs::read(hello.join("script.lua"))?);
    let output = Output::in_memory();
    let options = RunOptions {
        tenant: Tenant::new("team-a")?,
        observer: Some(Arc::new(Follow)),
        output: output.clone(),
        ..RunOptions::default()
    };
    let mut run = kael.run(Some(&repo), script, options);
    // A run that was cancelled reports what it had done by then.
    let report = tokio::select! {
        report = &mut run => report,
        () = tokio::time::sleep(Duration::from_secs(60)) => {
            run.cancel();
            run.await
        }
    };
    let calls = report.calls.len();
    println!("{}{:?}, {calls} calls", output.kept(), report.ending);
    finish(Duration::from_secs(3));
    Ok(())
}
