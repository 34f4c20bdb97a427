//! An array in an archive, decompressed on the fly: only a few samples are held at once, and no temporary
//! file is used.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use dpu_isa::IoDesc;
use strum_files::{FileError, budget};

use crate::archive::Archive;
use crate::arguments::ArrayPath;
use crate::element::Accept;
use crate::npy::Layout;

/// Samples that are prefetched.
const AHEAD: usize = 2;

/// The array.
#[derive(Debug)]
pub(crate) struct Member {
    path: PathBuf,
    /// Its name in the archive.
    key: String,
    /// Bytes before its values.
    start: u64,
    /// Samples in flight, after the first read.
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    /// The number of the next sample.
    next: u64,
    samples: Receiver<io::Result<Vec<u8>>>,
}

/// The archive's metadata of the array.
pub(crate) struct Found {
    pub(crate) member: Member,
    pub(crate) layout: Layout,
    /// Bytes before its values, and total bytes.
    pub(crate) start: u64,
    pub(crate) size: u64,
}

impl Member {
    /// Opens the array of an input; `None` if it does not match the input.
    pub(crate) fn open(desc: &IoDesc, place: &ArrayPath) -> Result<Option<Found>, FileError> {
        let path = &place.path;
        let mut archive = Archive::open(path)?;
        let key = archive.choose(place, Some(&desc.name))?;
        let mut array = archive.array(&key)?;
        let size = array.size();
        let sample = desc.shape.iter().fold(8u64, |n, &d| n.saturating_mul(d));
        let ahead = sample.min(size).saturating_mul(AHEAD as u64 + 2);
        budget::check("samples that are unpacked ahead", ahead).map_err(FileError::limit(path))?;
        let Ok((layout, start)) = Layout::read(&mut array, Accept::by(desc)) else { return Ok(None) };
        drop(array);
        let member = Member { path: path.clone(), key, start, stream: None };
        Ok(Some(Found { member, layout, start, size }))
    }

    /// Reads a sample as long as `values`. Samples before it are decompressed and discarded.
    ///
    /// # Errors
    /// When the archive cannot be read, is damaged, or ends too early.
    pub(crate) fn read(&mut self, sample: u64, values: &mut [u8]) -> io::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) if stream.next <= sample => stream,
            Some(_) | None => self.unpack(values.len())?,
        };
        loop {
            let found = stream.samples.recv().map_err(|_| io::ErrorKind::UnexpectedEof)??;
            stream.next += 1;
            if stream.next > sample {
                values.copy_from_slice(&found);
                self.stream = Some(stream);
                return Ok(());
            }
        }
    }

    /// Starts to decompress samples of this many bytes, from the first on.
    fn unpack(&self, len: usize) -> io::Result<Stream> {
        let (path, key, start) = (self.path.clone(), self.key.clone(), self.start);
        let (to, samples) = sync_channel(AHEAD);
        thread::Builder::new().spawn(move || {
            if let Err(error) = pump(&path, &key, start, len, &to) {
                // The receiver is gone if the reader was dropped.
                let _ = to.send(Err(error));
            }
        })?;
        Ok(Stream { next: 0, samples })
    }
}

/// Sends all samples; the last one only after the archive's checksum of the array has been verified.
fn pump(
    path: &Path,
    key: &str,
    start: u64,
    len: usize,
    to: &SyncSender<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    let mut archive = Archive::open(path).map_err(|error| io::Error::other(error.reason()))?;
    let mut entry = archive.array(key).map_err(|error| io::Error::other(error.reason()))?;
    io::copy(&mut entry.by_ref().take(start), &mut io::sink())?;
    let mut last: Option<Vec<u8>> = None;
    loop {
        let mut sample = vec![0; len];
        let more = match entry.read_exact(&mut sample) {
            Ok(()) => Some(sample),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let end = more.is_none();
        if let Some(ready) = std::mem::replace(&mut last, more)
            && to.send(Ok(ready)).is_err()
        {
            return Ok(());
        }
        if end {
            return Ok(());
        }
    }
}
