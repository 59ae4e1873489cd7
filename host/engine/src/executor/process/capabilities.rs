//! What this machine offers for keeping processes together and apart, asked once and by doing it.

use std::fmt;
use std::io;
use std::sync::{Once, OnceLock};

use super::Isolation;
use super::cgroup::Places;
use super::filter::Filter;
use super::launcher;
use super::orphan_reaper;
use super::spawn::{self, Containment};

/// What native actions run under on this machine.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// What keeps the processes of a call together.
    pub containment: Containment,
    /// Why there is no PID namespace, or none whose mounts can be read-only.
    pub refused: String,
    /// What is used up at the moment: no action runs until it is not.
    pub exhausted: Option<String>,
    /// Why system calls are not refused, where they are not.
    pub unfiltered: Option<&'static str>,
    /// The version of Landlock.
    pub landlock: Option<i64>,
    /// What counts processes.
    pub counting: Counting,
}

/// How the number of an action's processes is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counting {
    /// A group of the pids controller, below this folder.
    Group(String),
    /// RLIMIT_NPROC of a user namespace's only user.
    User,
    /// Not at all, and why.
    None(String),
}

impl Capabilities {
    /// Asks.
    pub async fn ask() -> Self {
        let asked = async || {
            let (_, refused) = launcher::namespace().await?;
            let containment = containment(Isolation::Strongest).await?;
            let places = Places::get()?;
            let counting = match (&places.pids, containment) {
                (Some(place), _) => Counting::Group(place.display().to_string()),
                (None, Containment::Namespace { user: true, .. })
                    if !rustix::process::geteuid().is_root() =>
                {
                    Counting::User
                }
                (None, _) => Counting::None(places.why.clone()),
            };
            io::Result::Ok((containment, refused, counting))
        };
        let (exhausted, (containment, refused, counting)) = match asked().await {
            Ok(found) => (None, found),
            Err(error) => {
                let why = error.to_string();
                let none = (
                    Containment::Session,
                    why.clone(),
                    Counting::None(why.clone()),
                );
                (Some(why), none)
            }
        };
        Self {
            containment,
            refused,
            exhausted,
            unfiltered: Filter::get().err(),
            landlock: spawn::landlock_version(),
            counting,
        }
    }

    /// What is missing for the whole of the confinement, part by part.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        match self.containment {
            Containment::Namespace {
                read_only: true, ..
            } => {}
            Containment::Namespace { .. } => {
                missing.push(format!("read-only mounts ({})", self.refused));
            }
            _ => missing.push(format!("a PID namespace ({})", self.refused)),
        }
        if self.landlock.is_none() {
            missing.push("Landlock (the kernel does not offer it)".to_owned());
        }
        if let Some(why) = self.unfiltered {
            missing.push(format!("a filter of system calls ({why})"));
        }
        if let Counting::None(why) = &self.counting {
            missing.push(format!("a limit on processes ({why})"));
        }
        missing
    }
}

/// The strongest way to keep processes together that there is.
///
/// # Errors
/// When that cannot be had now, because something is used up.
pub(super) async fn containment(isolation: Isolation) -> io::Result<Containment> {
    match isolation {
        Isolation::Client => return Ok(Containment::Session),
        Isolation::SameView => return instead(),
        Isolation::Strongest | Isolation::SameUser => {}
    }
    match (launcher::namespace().await?, isolation) {
        ((Containment::Session, why), _) => {
            let instead = instead()?;
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                tracing::info!("no PID namespaces ({why}): actions are ended by {instead}");
            });
            Ok(instead)
        }
        ((Containment::Namespace { user: true, .. }, _), Isolation::SameUser) => instead(),
        ((namespace, _), _) => Ok(namespace),
    }
}

/// What is used where there is no PID namespace.
fn instead() -> io::Result<Containment> {
    static INSTEAD: OnceLock<Containment> = OnceLock::new();
    let places = Places::get()?;
    Ok(*INSTEAD.get_or_init(|| {
        if places.kill.is_some() {
            Containment::Group
        } else if orphan_reaper::become_subreaper().is_ok() {
            Containment::Subreaper
        } else {
            Containment::Session
        }
    }))
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace { user: false, .. } => "a PID namespace",
            Self::Namespace { user: true, .. } => "a PID namespace in a user namespace",
            Self::Group => "a control group",
            Self::Subreaper => "a sweep of what comes back to Kael",
            Self::Session => "a search by their environment",
        })
    }
}
