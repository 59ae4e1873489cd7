//! Turns the end of an instance into the action's result or error.

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::file_error::one_line;
use super::instance::{Allowed, Ended};
use kael_engine::catalog::Language;
use kael_engine::executor::failure_message::{reason, said_on_stdout};
use kael_engine::executor::{Printed, STDOUT_CAP};
use kael_engine::failure::{ActionError, Detail, ErrorKind};
use kael_engine::units::{ByteSize, TimeLimit};

/// Frames of a trap that a report keeps.
const FRAMES: usize = 32;

/// The output of an instance, and the network's obstacle.
pub(super) struct Traces {
    pub(super) stdout: Vec<u8>,
    pub(super) overflowed: bool,
    pub(super) stderr: Vec<u8>,
    pub(super) advice: Option<String>,
}

impl Traces {
    fn detail(&self) -> Detail {
        Detail {
            stderr: String::from_utf8_lossy(&self.stderr).into_owned(),
            stdout: Detail::end(&self.stdout),
            hint: self.advice.clone(),
            ..Detail::default()
        }
    }
}

fn failed(kind: ErrorKind, message: String, detail: Detail) -> ActionError {
    ActionError {
        kind,
        message,
        detail: Some(Box::new(detail)),
    }
}

/// The call took longer than it may.
pub(super) fn timed_out(timeout: TimeLimit, traces: &Traces) -> ActionError {
    failed(
        ErrorKind::Timeout,
        format!("timed out after {timeout}"),
        traces.detail(),
    )
}

/// The action's output, or why it is not a result. `ok_exit`: statuses that count as success,
/// besides 0.
pub(super) fn read(
    ended: Ended,
    allowed: Allowed,
    traces: Traces,
    ok_exit: &[i32],
) -> Result<Printed, ActionError> {
    let code = match &ended.answer {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => exit.0,
            None => return Err(stopped(error, &ended, allowed, &traces)),
        },
    };
    if traces.overflowed {
        return Err(too_much_output(&traces));
    }
    if code == 0 || ok_exit.contains(&code) {
        return Ok(Printed {
            stdout: traces.stdout,
            stderr: String::from_utf8_lossy(&traces.stderr).into_owned(),
            exit_code: code,
        });
    }
    let mut detail = traces.detail();
    detail.exit_code = Some(code);
    let message = said_on_stdout(&traces.stdout)
        .or_else(|| reason(&detail.stderr, Language::Other))
        .or_else(|| ended.refused.map(|wanted| too_much_memory(allowed, wanted)))
        .unwrap_or_else(|| format!("exited with status {code}"));
    Err(failed(ErrorKind::Failed, message, detail))
}

/// The error of an instance that did not exit by itself.
fn stopped(
    error: &wasmtime::Error,
    ended: &Ended,
    allowed: Allowed,
    traces: &Traces,
) -> ActionError {
    let mut detail = traces.detail();
    if let (Some(used), Some(cpu)) = (ended.over_cpu, allowed.cpu) {
        let message = format!(
            "computed for {:.1}s, more than the {cpu} of its `limits.cpu`",
            used.as_secs_f64()
        );
        let allows = "the definition's `limits.cpu` says how long the action may compute";
        detail.hint.get_or_insert_with(|| allows.to_owned());
        return failed(ErrorKind::Timeout, message, detail);
    }
    if traces.overflowed {
        return too_much_output(traces);
    }
    detail.frames = frames(error);
    let message = match (ended.refused, error.downcast_ref::<Trap>()) {
        (Some(wanted), _) => too_much_memory(allowed, wanted),
        (None, Some(trap)) => {
            let said = trap.to_string();
            format!("trapped: {}", said.trim_start_matches("wasm trap: "))
        }
        (None, None) => one_line(error),
    };
    failed(ErrorKind::Failed, message, detail)
}

fn too_much_output(traces: &Traces) -> ActionError {
    let message = format!("printed more than {}", ByteSize::new(STDOUT_CAP as u64));
    failed(ErrorKind::BadOutput, message, traces.detail())
}

fn too_much_memory(allowed: Allowed, wanted: ByteSize) -> String {
    let may = allowed.memory;
    format!("needs more memory than the {may} it may use (it asked for {wanted})")
}

/// The functions that were running, innermost first.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let frame = |frame: &wasmtime::FrameInfo| {
        let function = match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        };
        let function: String = function.chars().take(200).collect();
        match frame.module_offset() {
            Some(offset) => format!("{function} (0x{offset:x})"),
            None => function,
        }
    };
    backtrace.frames().iter().take(FRAMES).map(frame).collect()
}
