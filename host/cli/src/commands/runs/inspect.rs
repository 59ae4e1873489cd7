//! Reads Lua from stdin for a run that is opened where its journal is left.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::exit;
use crate::report::Problem;
use kael_engine::journal::{Input, Inspected, Inspecting, Inspector};

/// Bytes that a line may have.
const MAX_LINE: u64 = 16 << 20;

/// Gives the lines of stdin, and says what became of them.
pub(super) struct StdinInspector {
    quiet: bool,
    interactive: bool,
    typed: Mutex<Typed>,
}

/// What was typed so far.
struct Typed {
    /// Lines that are not complete.
    source: String,
    /// The number of the first of them.
    from: u32,
    /// The number of the next line.
    next: u32,
    /// The exit code, once the run was where it is looked at.
    code: Option<u8>,
}

impl StdinInspector {
    pub(super) fn new(quiet: bool) -> Self {
        let typed = Mutex::new(Typed {
            source: String::new(),
            from: 1,
            next: 1,
            code: None,
        });
        let interactive = io::stdin().is_terminal();
        Self {
            quiet,
            interactive,
            typed,
        }
    }

    /// The exit code of the last input; none if there was no look.
    pub(super) fn ended(&self) -> Option<u8> {
        self.typed().code
    }

    fn typed(&self) -> MutexGuard<'_, Typed> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, message: String) {
        self.typed().code = Some(exit::SCRIPT_FAILED);
        Problem::usage(message).print(self.quiet);
    }

    /// Notes what became of the last input.
    fn note(&self, last: Inspected) {
        if last != Inspected::Incomplete {
            let mut typed = self.typed();
            typed.source.clear();
            typed.from = typed.next;
        }
        match last {
            Inspected::Begin | Inspected::Done => self.typed().code = Some(exit::SUCCESS),
            Inspected::Incomplete => {}
            Inspected::Failed { message } => self.failed(message),
        }
    }

    /// Asks for a line; none at the end of stdin.
    async fn line(&self) -> Option<String> {
        if self.interactive {
            let more = !self.typed().source.is_empty();
            let prompt = if more { "   .. " } else { "run> " };
            io::stdout().write_all(prompt.as_bytes()).ok();
            io::stdout().flush().ok();
        }
        // Not a thread of the runtime, which would wait for the line at its end.
        let (sender, line) = oneshot::channel();
        let reading = thread::Builder::new().name("kael-input".to_owned());
        let reading = reading.spawn(move || sender.send(read()).ok());
        match reading {
            Ok(_) => match line.await {
                Ok(Ok(line)) => line,
                Ok(Err(message)) => {
                    self.failed(message);
                    None
                }
                Err(_) => None,
            },
            Err(error) => {
                self.failed(format!("no thread for stdin: {error}"));
                None
            }
        }
    }
}

impl Inspector for StdinInspector {
    fn next(&self, last: Inspected) -> Inspecting<'_> {
        Box::pin(async move {
            let incomplete = last == Inspected::Incomplete;
            self.note(last);
            loop {
                let Some(line) = self.line().await else {
                    if incomplete {
                        self.failed("the input ends in the middle of a chunk".to_owned());
                    }
                    return None;
                };
                let mut typed = self.typed();
                typed.next += 1;
                if typed.source.is_empty() && line.trim().is_empty() {
                    typed.from = typed.next;
                    continue;
                }
                if !typed.source.is_empty() {
                    typed.source.push('\n');
                }
                typed.source.push_str(&line);
                return Some(Input {
                    source: typed.source.clone(),
                    line: typed.from,
                });
            }
        })
    }
}

/// The next line of stdin, without its end; none at the end.
fn read() -> Result<Option<String>, String> {
    let mut bytes = Vec::new();
    let mut stdin = io::stdin().lock().take(MAX_LINE + 1);
    let count = stdin.read_until(b'\n', &mut bytes);
    let count = count.map_err(|error| format!("cannot read stdin: {error}"))?;
    if count as u64 > MAX_LINE {
        return Err("a line of stdin has more than 16 MiB".to_owned());
    }
    if count == 0 {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|_| "stdin is not UTF-8 text".to_owned())
}
