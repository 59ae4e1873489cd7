//! Finds out, by trying once, how this machine can contain and confine processes.

use std::io;
use std::sync::{Once, OnceLock};

use super::Isolation;
use super::cgroup::Places;
use super::containment::Containment;
use super::filter::Filter;
use super::kernel_features;
use super::launcher;
use super::orphan_reaper;

/// The containment and confinement that this machine offers for native actions.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// What keeps the processes of a call together.
    pub containment: Containment,
    /// Why the machine offers no PID namespace, or none with read-only mounts.
    pub refused: String,
    /// The resource that is used up at the moment. No action runs until it is free again.
    pub exhausted: Option<String>,
    /// Why the kernel cannot filter system calls, if it cannot.
    pub unfiltered: Option<&'static str>,
    /// The version of Landlock.
    pub landlock: Option<i64>,
    /// How processes are counted.
    pub counting: Counting,
}

/// How the number of an action's processes is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counting {
    /// By a control group with the pids controller, below this folder.
    Group(String),
    /// By RLIMIT_NPROC, for the only user of a user namespace.
    User,
    /// Not limited, for this reason.
    None(String),
}

impl Capabilities {
    /// Tries everything that was not tried before.
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
            landlock: kernel_features::landlock_version(),
            counting,
        }
    }

    /// The parts of the confinement that this machine lacks.
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

/// The strongest containment that this machine allows.
///
/// # Errors
/// When a resource is used up, so that the strongest one is not available now.
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

/// The containment on machines without PID namespaces.
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
