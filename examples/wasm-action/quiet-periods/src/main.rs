//! When is a service quiet? The longest run of hours below a share of the busiest, round the clock.
//!
//! An action like any other: parameters as JSON on stdin, a result as JSON on stdout, an exit code. Its world is what
//! the definition names; this one needs nothing.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Params {
    values: Vec<f64>,
    threshold: f64,
}

#[derive(Serialize, Default)]
struct Quiet {
    from: usize,
    hours: usize,
}

fn quiet_period(params: &Params) -> Quiet {
    let values = &params.values;
    let busiest = values.iter().copied().fold(0.0, f64::max);
    let (mut best, mut run) = (Quiet::default(), 0);
    for i in 0..2 * values.len() {
        let quiet = values[i % values.len()] < busiest * params.threshold;
        run = if quiet { (run + 1).min(values.len()) } else { 0 };
        if run > best.hours {
            best = Quiet { from: (i + 1 - run) % values.len(), hours: run };
        }
    }
    best
}

fn main() -> ExitCode {
    let answer = serde_json::from_reader(std::io::stdin().lock())
        .map(|params| quiet_period(&params))
        .and_then(|quiet| serde_json::to_writer(std::io::stdout().lock(), &quiet));
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
