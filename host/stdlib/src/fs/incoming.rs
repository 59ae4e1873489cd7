//! A file that comes piece by piece: it is written beside its place, and moved there when all of it
//! has come.

use std::io::{Error, Result, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::OpenOptions;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use kael_engine::executor::granted::Places;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::policy::Grants;

use super::failed;
use super::place::{At, Place, plain};
use crate::refusal::interrupted;

/// Pieces that wait to be written.
const WAITING: usize = 8;

/// A file that is being written.
pub(crate) struct Incoming {
    path: String,
    /// Closed without `End`, the file is given up.
    pieces: mpsc::Sender<Piece>,
    writing: JoinHandle<std::result::Result<u64, ActionError>>,
}

enum Piece {
    Data(Bytes),
    End,
}

impl Incoming {
    /// Begins a file that the policy lets a script write.
    pub(crate) fn begin(
        path: &str,
        grants: &Grants,
        places: Arc<Places>,
    ) -> std::result::Result<Self, ActionError> {
        let path = plain(path)?;
        let place = Place::of(&path, true, grants)?;
        let (pieces, received) = mpsc::channel(WAITING);
        let shown = path.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let at = place.open(&places)?;
            write(&at, received).map_err(|error| failed("write", &shown, &error))
        });
        Ok(Self {
            path,
            pieces,
            writing,
        })
    }

    /// Adds a piece. What is wrong with the file, `end` says.
    pub(crate) async fn push(&self, data: Bytes) -> bool {
        self.pieces.send(Piece::Data(data)).await.is_ok()
    }

    /// Puts the file in its place, with all that has come. Returns its size.
    pub(crate) async fn end(self) -> std::result::Result<u64, ActionError> {
        self.pieces.send(Piece::End).await.ok();
        let path = self.path;
        match self.writing.await {
            Ok(written) => written,
            Err(error) if error.is_cancelled() => Err(interrupted()),
            Err(_) => {
                let message = format!("failed to write \"{path}\"");
                Err(ActionError::new(ErrorKind::Failed, message))
            }
        }
    }
}

/// A name beside a file, which no other call has.
fn beside(path: &Path) -> Result<String> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::other("it is no name of a file"))?;
    let mut random = [0; 8];
    let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    filled.map_err(|_| Error::other("the system gives no random bytes"))?;
    let number = u64::from_le_bytes(random);
    let name = format!(".{}.{number:016x}.part", name.to_string_lossy());
    Ok(path.with_file_name(name).to_string_lossy().into_owned())
}

fn write(at: &At, mut pieces: mpsc::Receiver<Piece>) -> Result<u64> {
    let path = Path::new(&at.path);
    if at.dir.metadata(path).is_ok_and(|found| found.is_dir()) {
        return Err(Error::other("it is a folder"));
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        at.dir.create_dir_all(folder)?;
    }
    let part = beside(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = at.dir.open_with(&part, &options)?;
    let mut copy = || {
        let mut size = 0;
        loop {
            match pieces.blocking_recv() {
                Some(Piece::Data(data)) => {
                    file.write_all(&data)?;
                    size += data.len() as u64;
                }
                Some(Piece::End) => break,
                None => return Err(Error::other("the call is over")),
            }
        }
        at.dir.rename(&part, &at.dir, path)?;
        Ok(size)
    };
    let copied = copy();
    if copied.is_err() {
        at.dir.remove_file(&part).ok();
    }
    copied
}
