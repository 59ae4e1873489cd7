//! The journal of a run: what its script asked of the world and what it got, so that the run can go on after its
//! process has died, or be looked at again.
//!
//! The unit is one crossing of `run-action`: what went in, and which completions came out, in which order. That, the
//! script and the guest are all that a run is a function of. `entry` says what is written, `codec` how, `chain` makes
//! the log tamper-evident, `log` reads one back, `handle` is what a run is given, `recorder` writes while it goes on,
//! `replay` answers crossings out of a log. `cancelling` is how a person ends a run so that it cleans up. `mailbox` is
//! what reaches a run from outside, `post` gives that to the calls that wait for it, and `waiting` says when a run waits
//! for nothing else.
//!
//! Entries are kept in memory and handed to a [`Sink`] at a barrier: before an effect, before output is shown, at
//! the end. Nothing outside depends on more than what the sink has made durable.

mod call_log;
mod cancelling;
mod chain;
mod codec;
mod crossing;
mod entry;
mod handle;
mod inspector;
mod log;
mod mailbox;
mod post;
mod recorder;
mod replay;
mod sink;
mod waiting;

pub(crate) use call_log::CallLog;
pub(crate) use cancelling::{Cancelling, News};
pub use chain::{Chain, ZERO};
pub use codec::Malformed;
pub(crate) use crossing::{Crossing, Request, is_own, is_showing};
pub use entry::{
    Begin, Delivered, Delivery, End, EndKind, Entry, Failure, Intent, Outcome, Resolve, Verdict,
    Wait,
};
pub use handle::Journal;
pub use inspector::{Input, Inspected, Inspecting, Inspector};
pub use log::{Broken, Log, LogReader, LogRow};
pub use mailbox::{ApprovalRequest, Letter, LetterKind, Mailbox, Mailing, Needed, NewChild};
pub(crate) use post::Post;
pub(crate) use recorder::{Recorder, Release};
pub use replay::Divergence;
pub(crate) use replay::{Answered, Recovered, Replay};
pub use sink::{Appending, Batch, Discard, MemorySink, Sink, SinkError};
pub use waiting::Pause;
pub(crate) use waiting::Waiting;

/// The version of the format that this Kael writes. Kinds of entries are only ever added.
pub const FORMAT: u32 = 2;
