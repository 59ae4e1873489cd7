//! Lines of files: plain or gzip, to the end or followed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;

use super::look_up::MAX_LINE;

/// Bytes read at once.
const BUFFER: usize = 256 << 10;
/// How long to wait at the end of a file that is followed.
const PAUSE: Duration = Duration::from_millis(2);
/// Looks at the end of a file until it is compared with the file of that name.
const LOOKS: u32 = 100;

/// Where lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file; one whose name ends with `.gz` is unpacked.
    File(PathBuf),
}

impl Source {
    /// The name in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// One line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1, counted over all sources.
    pub seq: u64,
    /// Its number in its file.
    pub number: u64,
    /// Its bytes, cut if it is too long.
    pub bytes: Vec<u8>,
}

/// The lines of one source.
pub struct Lines {
    input: Box<dyn BufRead + Send>,
    number: u64,
    follow: Option<Followed>,
}

/// A file that is followed: reading goes on at its end, and begins anew where it was replaced or cut.
struct Followed {
    path: PathBuf,
    /// Device and number of the file that is open.
    opened: (u64, u64),
    /// Bytes read so far.
    position: u64,
    /// Looks since the file was last compared with the one of that name.
    looks: u32,
}

impl Lines {
    /// Opens a source.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(source: &Source, follow: bool) -> io::Result<Self> {
        let path = match source {
            Source::Stdin => {
                return Ok(Self {
                    input: Box::new(BufReader::with_capacity(BUFFER, io::stdin())),
                    number: 0,
                    follow: None,
                });
            }
            Source::File(path) => path,
        };
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        Ok(Self {
            input: open(path, packed)?,
            number: 0,
            follow: match follow && !packed {
                true => Some(Followed::new(path)?),
                false => None,
            },
        })
    }

    /// The next line that is not empty, with its number in `seq` added up; none at the end.
    ///
    /// # Errors
    /// When the source cannot be read on.
    pub fn next(&mut self, seq: &mut u64) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            if !self.read_line(&mut bytes)? {
                return Ok(None);
            }
            self.number += 1;
            *seq += 1;
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            if !bytes.is_empty() {
                return Ok(Some(Line {
                    seq: *seq,
                    number: self.number,
                    bytes,
                }));
            }
        }
    }

    /// Reads up to the end of a line. Of a line that is too long, only the start is kept.
    fn read_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        let mut any = false;
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                if self.wait_for_more()? {
                    continue;
                }
                return Ok(any);
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = end.unwrap_or(buffer.len());
            let room = (MAX_LINE + 1).saturating_sub(line.len());
            line.extend_from_slice(&buffer[..piece.min(room)]);
            let taken = piece + usize::from(end.is_some());
            self.input.consume(taken);
            if let Some(followed) = &mut self.follow {
                followed.position += taken as u64;
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// At the end: whether to try again.
    fn wait_for_more(&mut self) -> io::Result<bool> {
        let Some(followed) = &mut self.follow else {
            return Ok(false);
        };
        thread::sleep(PAUSE);
        followed.looks += 1;
        if followed.looks >= LOOKS {
            followed.looks = 0;
            if followed.was_replaced() {
                self.input = open(&followed.path, false)?;
                *followed = Followed::new(&followed.path)?;
                self.number = 0;
            }
        }
        Ok(true)
    }
}

impl Followed {
    fn new(path: &Path) -> io::Result<Self> {
        let kind = path.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            opened: (kind.dev(), kind.ino()),
            position: 0,
            looks: 0,
        })
    }

    /// While a file is being replaced there may be none of its name.
    fn was_replaced(&self) -> bool {
        self.path
            .metadata()
            .is_ok_and(|kind| (kind.dev(), kind.ino()) != self.opened || kind.len() < self.position)
    }
}

fn open(path: &Path, packed: bool) -> io::Result<Box<dyn BufRead + Send>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let plain = BufReader::with_capacity(BUFFER, file);
    Ok(match packed {
        true => Box::new(BufReader::with_capacity(
            BUFFER,
            Box::new(MultiGzDecoder::new(plain)) as Box<dyn Read + Send>,
        )),
        false => Box::new(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn lines_have_numbers_and_no_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jsonl.gz");
        let mut packed = flate2::write::GzEncoder::new(
            File::create(&path).expect("a file"),
            flate2::Compression::fast(),
        );
        packed.write_all(b"one\r\n\n\nfour").expect("written");
        packed.finish().expect("written");
        let mut lines = Lines::open(&Source::File(path), false).expect("it opens");
        let mut seq = 10;
        let mut all = Vec::new();
        while let Some(line) = lines.next(&mut seq).expect("it reads") {
            all.push((line.seq, line.number, line.bytes));
        }
        assert_eq!(all, [(11, 1, b"one".to_vec()), (14, 4, b"four".to_vec())]);
    }
}
