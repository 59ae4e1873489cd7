//! Whether what a definition names may be given: judged by what was opened, and as far as that goes by the path alone.

use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::{Opened, Places, Use, brief, real};
use crate::repo::STATE;

impl Places {
    /// The folder of the repo that actions may be given to write.
    pub(super) fn state(&self) -> PathBuf {
        self.repo.join(STATE)
    }

    /// Whether an action may have it.
    ///
    /// # Errors
    /// Why not: the end of a sentence that begins with the path.
    pub(super) fn judge(&self, opened: &Opened, purpose: Use) -> Result<(), String> {
        let stat = rustix::fs::fstat(&opened.fd).map_err(|error| brief(&error.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !(kind.is_dir() || kind.is_file() || kind.is_char_device()) {
            return Err("is neither a folder nor a file".to_owned());
        }
        // A second name for a file is a way to write something else.
        if purpose == Use::Write && kind.is_file() && stat.st_nlink > 1 {
            return Err("has another name, a hard link: copy it to a file of its own".to_owned());
        }
        self.judge_path(&opened.path, purpose)
    }

    /// The same by the path alone, for what is not there yet.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge_path(&self, here: &Path, purpose: Use) -> Result<(), String> {
        match purpose {
            Use::Read => self.judge_reading(here),
            Use::Write => self.judge_writing(here),
        }
    }

    fn judge_writing(&self, here: &Path) -> Result<(), String> {
        if self.repo.starts_with(here) {
            return Err("holds the actions repo, which no action may rewrite".to_owned());
        }
        if here.starts_with(&self.repo) && !here.starts_with(self.state()) {
            return Err(format!(
                "lies in the actions repo, where actions write below `{STATE}/` only"
            ));
        }
        if let Some(what) = self.of_kael(here).or_else(|| self.of_hidden(here)) {
            return Err(what.to_owned());
        }
        match is_the_kernels(here) {
            true => Err("belongs to the kernel".to_owned()),
            false => Ok(()),
        }
    }

    fn judge_reading(&self, here: &Path) -> Result<(), String> {
        if holds_a_home(here, self.home.as_deref()) {
            let why = "is a home folder or holds one: name what the action needs of it";
            return Err(why.to_owned());
        }
        if let Some(what) = self.of_kael(here).or_else(|| self.of_hidden(here)) {
            return Err(format!("{what}: name what the action needs, outside of it"));
        }
        match is_the_kernels(here) {
            true => Err("belongs to the kernel: name nothing there".to_owned()),
            false => Ok(()),
        }
    }

    fn of_hidden(&self, here: &Path) -> Option<&'static str> {
        let mut hidden = self.hidden.iter();
        let meets = hidden.any(|hidden| meets(hidden, here));
        meets.then_some("is or holds what is hidden from actions, such as secrets")
    }

    /// What of Kael's own a path is, holds or lies in.
    fn of_kael(&self, here: &Path) -> Option<&'static str> {
        let mut own = self.own.iter();
        own.find_map(|(place, what)| meets(place, here).then_some(*what))
    }
}

/// Whether a real path is a home folder, or holds one.
pub(crate) fn holds_a_home(path: &Path, home: Option<&Path>) -> bool {
    /// Folders whose folders are homes.
    const OF_HOMES: [&str; 3] = ["/home", "/var/home", "/Users"];
    let holds = |home: &Path| home.starts_with(path);
    let is_one = path
        .parent()
        .is_some_and(|parent| OF_HOMES.iter().any(|homes| parent == Path::new(homes)));
    is_one
        || holds(Path::new("/root"))
        || OF_HOMES.iter().any(|homes| holds(Path::new(homes)))
        || home.is_some_and(|home| holds(home) || holds(&real(home)))
}

/// Refuses what is to be run where an action may write: below the state of a repo. Both paths are real.
///
/// # Errors
/// Why, in words that follow its name.
pub fn judge_program(repo: &Path, program: &Path) -> Result<(), String> {
    if program.starts_with(repo.join(STATE)) {
        return Err(format!(
            "lies in `{STATE}/` of the actions repo, which actions may write: nothing there is run"
        ));
    }
    Ok(())
}

fn is_the_kernels(path: &Path) -> bool {
    let kernels = ["/proc", "/sys"];
    kernels.iter().any(|folder| path.starts_with(folder)) || path == Path::new("/dev")
}

/// Whether one of two paths holds the other.
fn meets(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
