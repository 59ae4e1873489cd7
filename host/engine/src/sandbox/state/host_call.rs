//! The host's own names, below `kael`: each is answered at once, without the gate to actions.

use std::fs::File;
use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::super::input::bytes_of;
use super::super::output::Closed;
use super::continuing::CONTINUE;
use super::wire::to_wit;
use super::{InstanceState, Outcome, Stop};
use crate::failure::{ActionError, ErrorKind};
use crate::limits::LimitHit;
use crate::report_item::ReportItem;
use crate::text::hex;
use crate::units::ByteSize;

/// Warnings of a script that are shown, and bytes of each.
const MAX_WARNINGS: u32 = 20;
const MAX_WARNING: usize = 1 << 10;
/// Bytes of randomness that are given at once.
const MAX_RANDOM: usize = 64 << 10;
/// Bytes of the status that are kept.
const MAX_STATUS: usize = 200;
/// Lines of a script's log that are shown.
const MAX_LOGGED: u32 = 10_000;

impl InstanceState {
    /// Answers one of the host's own names at once.
    pub(super) async fn host_call(
        &mut self,
        name: &str,
        params: String,
    ) -> wasmtime::Result<Outcome> {
        match name {
            "kael.print" => {
                self.print(params.into_bytes()).await?;
                Ok(Ok("null".to_owned()))
            }
            "kael.print-bytes" => match bytes_of(&params) {
                Some(bytes) => {
                    self.print(bytes).await?;
                    Ok(Ok("null".to_owned()))
                }
                None => Ok(refused("a character stands for no byte")),
            },
            "kael.warn" => {
                self.warn(&params);
                Ok(Ok("null".to_owned()))
            }
            "kael.input" => Ok(match self.input.read().await {
                Ok(text) => Ok(text),
                Err(error) => refused(error),
            }),
            // While a repo loads there is no run to end.
            "kael.exit" if self.dispatcher.is_none() => Ok(refused(
                "a run cannot be ended while the actions repo loads",
            )),
            "kael.exit" => match params.parse::<u8>() {
                Ok(code) => Err(self.end(Stop::Exit(code))),
                Err(_) => Ok(refused("an exit code is 0 to 255")),
            },
            "kael.clock" => {
                let wall = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0.0, |since| since.as_secs_f64());
                let recorder = self.journal.as_ref().map(|journal| &journal.recorder);
                let wall = recorder.map_or(wall, |recorder| recorder.clock(wall));
                let cpu = self.meter.spent().as_secs_f64();
                Ok(Ok(format!(r#"{{"wall":{wall:.9},"cpu":{cpu:.9}}}"#)))
            }
            "kael.seed" => Ok(Ok(self.seed.to_string())),
            "kael.random" => Ok(random(&params)),
            "kael.report" => Ok(match ReportItem::parse(&params) {
                Ok(item) => {
                    self.output.item(item, params.len());
                    Ok("null".to_owned())
                }
                Err(error) => Err(to_wit(ActionError::new(
                    ErrorKind::InvalidParams,
                    format!("the report cannot be shown: {error}"),
                ))),
            }),
            "kael.module" => Ok(Ok(self.module(&params))),
            "kael.log" => Ok(self.log(&params)),
            "kael.status" => Ok(self.status(&params)),
            CONTINUE => Box::pin(self.continue_as(&params)).await,
            "kael.interrupted" => {
                let interrupted = self.interrupted.as_ref().is_some_and(|now| *now.borrow());
                Ok(Ok(interrupted.to_string()))
            }
            _ => Ok(Err(to_wit(ActionError::new(
                ErrorKind::UnknownAction,
                "no such action",
            )))),
        }
    }

    /// The Lua of a module that the host brings, as JSON; null where it brings none.
    fn module(&self, params: &str) -> String {
        #[derive(serde::Deserialize)]
        struct Request {
            name: String,
        }
        let request: Option<Request> = serde_json::from_str(params).ok();
        let lua = request.and_then(|request| self.library.as_ref()?.lua(&request.name));
        serde_json::to_string(&lua).unwrap_or_else(|_| "null".to_owned())
    }

    /// Shows a line of the script's log among the messages of the host, and no more than a person
    /// would read.
    fn log(&mut self, params: &str) -> Outcome {
        #[derive(serde::Deserialize)]
        struct Line {
            level: String,
            text: String,
        }
        let Ok(line) = serde_json::from_str::<Line>(params) else {
            return refused("expected a level and a text");
        };
        self.logged = self.logged.saturating_add(1);
        if self.logged > MAX_LOGGED {
            return Ok("null".to_owned());
        }
        let mut text = line.text;
        text.truncate(text.floor_char_boundary(MAX_WARNING));
        // What could drive a terminal is shown as an escape.
        let shown: String = text
            .chars()
            .map(|c| match c {
                '\'' | '"' | '\\' => c.to_string(),
                c => c.escape_debug().to_string(),
            })
            .collect();
        match line.level.as_str() {
            "error" => tracing::error!(target: "kael::script", "{shown}"),
            "warn" => tracing::warn!(target: "kael::script", "{shown}"),
            "debug" => tracing::debug!(target: "kael::script", "{shown}"),
            _ => tracing::info!(target: "kael::script", "{shown}"),
        }
        Ok("null".to_owned())
    }

    /// Keeps how far the script says that it is.
    fn status(&mut self, params: &str) -> Outcome {
        #[derive(serde::Deserialize)]
        struct Status {
            text: String,
        }
        let Ok(Status { mut text }) = serde_json::from_str::<Status>(params) else {
            return refused("expected a text");
        };
        let Some(journal) = &self.journal else {
            let error = super::wait_call::without_journal();
            self.failures.note("status", &error);
            return Err(to_wit(error));
        };
        text.truncate(text.floor_char_boundary(MAX_STATUS));
        journal.recorder.status(text);
        Ok("null".to_owned())
    }

    /// Shows a warning of the script, and no more of them than a person would read.
    fn warn(&mut self, text: &str) {
        self.warned = self.warned.saturating_add(1);
        if self.warned <= MAX_WARNINGS {
            let cut = text.floor_char_boundary(MAX_WARNING);
            // What could drive a terminal is shown as an escape.
            let shown = text[..cut].chars().map(|c| match c {
                '\'' | '"' | '\\' => c.to_string(),
                c => c.escape_debug().to_string(),
            });
            tracing::warn!("{}", shown.collect::<String>());
        }
    }

    async fn print(&mut self, mut text: Vec<u8>) -> wasmtime::Result<()> {
        let left = self.limits.output.bytes() - self.printed;
        let wanted = ByteSize::new(self.printed + text.len() as u64);
        let over = text.len() as u64 > left;
        if over && self.is_rule() {
            // A rule goes on; the rest of what it prints in this batch is dropped.
            text.clear();
            self.printed = self.limits.output.bytes();
            return Ok(());
        }
        if over {
            // What still fits is printed, up to a whole character.
            let mut end = left as usize;
            while end > 0 && text[end] & 0xc0 == 0x80 && left as usize - end < 3 {
                end -= 1;
            }
            text.truncate(end);
        }
        self.printed += text.len() as u64;
        if let Some(journal) = &self.journal {
            let begins = self.printed - text.len() as u64;
            let before = journal.shown_before().saturating_sub(begins);
            let before = usize::try_from(before).unwrap_or(usize::MAX);
            journal.recorder.print(&text[before.min(text.len())..]);
            if let Some(why) = journal.recorder.closed.get().cloned() {
                return Err(self.end(Stop::OutputClosed(Closed(why))));
            }
        } else if let Err(closed) = self.output.print(text).await {
            return Err(self.end(Stop::OutputClosed(closed)));
        }
        if over {
            let hit = LimitHit::Output {
                allowed: self.limits.output,
                wanted,
            };
            return Err(self.end(Stop::Limit(hit)));
        }
        Ok(())
    }
}

/// Unpredictable bytes, in hexadecimal.
fn random(params: &str) -> Outcome {
    #[derive(serde::Deserialize)]
    struct Request {
        bytes: usize,
    }
    let wanted = serde_json::from_str::<Request>(params).ok();
    let Some(wanted) = wanted.filter(|wanted| wanted.bytes <= MAX_RANDOM) else {
        return refused(format!("expected a number of bytes up to {MAX_RANDOM}"));
    };
    let mut bytes = vec![0; wanted.bytes];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    match read {
        Ok(()) => Ok(format!("\"{}\"", hex(&bytes))),
        Err(error) => refused(format!("the machine gives no random bytes: {error}")),
    }
}

fn refused(error: impl Into<String>) -> Outcome {
    Err(to_wit(ActionError::new(
        ErrorKind::InvalidParams,
        error.into(),
    )))
}
