//! A staged file, which appears under its name once it is complete.
//!
//! Invariant: it has no name before that, so that it vanishes when the process ends, for whatever reason. On file systems
//! without unnamed files it gets a temporary name beside its destination, which is removed on drop and by the signals that end a
//! process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU};
use signal_hook::iterator::Signals;
use tempfile::TempPath;

use crate::error::FileError;

/// Maximum number of symbolic links followed to the destination.
const MAX_LINKS: usize = 40;

/// Number of temporary names tried beside a destination.
const MAX_NAMES: u32 = 1000;

/// A staged file.
pub struct Staged {
    file: File,
    /// The temporary name, where one is required.
    name: Option<Named>,
    path: PathBuf,
}

impl Staged {
    /// Starts a file for `path`. A symbolic link is kept: its target is replaced or created.
    ///
    /// # Errors
    /// When the path exists and is not a file, or its folder is not writable.
    pub fn create(path: &Path) -> Result<Staged, FileError> {
        let path = follow(path)?;
        if fs::metadata(&path).is_ok_and(|m| !m.is_file()) {
            return Err(FileError::content(&path, "exists and is not a regular file"));
        }
        match unnamed(folder(&path)) {
            Ok(file) => Ok(Staged { file, name: None, path }),
            // Some file systems have no unnamed files, and some kernels mistake the request for one for a
            // folder.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                // The error of a missing folder would name the temporary file.
                fs::metadata(folder(&path)).map_err(FileError::io(&path))?;
                Staged::named(path)
            }
            Err(error) => Err(FileError::Io { path, error: error.into() }),
        }
    }

    fn named(path: PathBuf) -> Result<Staged, FileError> {
        use std::os::unix::fs::PermissionsExt;
        let mut builder = tempfile::Builder::new();
        // As for any new file: the user's mask decides.
        builder.permissions(fs::Permissions::from_mode(0o666));
        let temporary = builder.tempfile_in(folder(&path)).map_err(FileError::io(&path))?;
        let (file, name) = temporary.into_parts();
        Ok(Staged { file, name: Some(Named::new(name)), path })
    }

    /// The destination.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, for writers that use its descriptor.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(FileError::io(&self.path))
    }

    /// Moves the file to its destination.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn commit(self) -> Result<(), FileError> {
        let Staged { mut file, name, path } = self;
        file.flush().map_err(FileError::io(&path))?;
        match name {
            Some(name) => name.persist(&path),
            None => link(&file, &path),
        }
        .map_err(FileError::io(&path))
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The target of symbolic links, also if it does not exist yet.
pub(crate) fn follow(path: &Path) -> Result<PathBuf, FileError> {
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&at) {
            // A relative target is relative to the link's folder; joining an absolute one replaces everything.
            Ok(target) => at = folder(&at).join(target),
            Err(_) => return Ok(at),
        }
    }
    Err(FileError::content(path, "too many levels of symbolic links"))
}

/// An unnamed file in a folder; the user's mask decides who may read it.
fn unnamed(folder: &Path) -> Result<File, Errno> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, folder, flags, Mode::from_raw_mode(0o666)).map(File::from)
}

/// Gives an unnamed file its name, in place of what may have it.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let source = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let link_to = |name: &Path| rustix::fs::linkat(CWD, &source, CWD, name, AtFlags::SYMLINK_FOLLOW);
    match link_to(path) {
        Err(Errno::EXIST) => {}
        done => return Ok(done?),
    }
    // An existing file can be replaced by a name alone.
    for number in 0..MAX_NAMES {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.{number}", std::process::id()));
        let beside = path.with_file_name(name);
        match link_to(&beside) {
            Err(Errno::EXIST) => continue,
            done => done?,
        }
        return fs::rename(&beside, path).inspect_err(|_| {
            // What could not be finished is taken away; that this may fail, too, changes nothing.
            let _ = fs::remove_file(&beside);
        });
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name beside it"))
}

/// The names that a signal removes.
static NAMES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary name beside a destination, registered with the signal watcher while it lives.
struct Named {
    name: TempPath,
    known: Known,
}

impl Named {
    fn new(name: TempPath) -> Named {
        static WATCHER: Once = Once::new();
        WATCHER.call_once(watch_signals);
        let known = Known(name.to_path_buf());
        NAMES.lock().unwrap_or_else(PoisonError::into_inner).push(known.0.clone());
        Named { name, known }
    }

    fn persist(self, path: &Path) -> io::Result<()> {
        let Named { name, known } = self;
        let done = name.persist(path).map_err(|error| error.error);
        drop(known);
        done
    }
}

/// An entry of [`NAMES`].
struct Known(PathBuf);

impl Drop for Known {
    fn drop(&mut self) {
        NAMES.lock().unwrap_or_else(PoisonError::into_inner).retain(|name| *name != self.0);
    }
}

/// Removes the names when a signal ends the process.
fn watch_signals() {
    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU]) else { return };
    let watch = move || {
        for signal in signals.forever() {
            for name in NAMES.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                let _ = fs::remove_file(name);
            }
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    };
    // Without a thread the temporary names remain; nothing else is lost.
    let _ = thread::Builder::new().name("signals".into()).spawn(watch);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    /// Both ways of creating a file.
    fn both(folder: &Path, name: &str) -> [Staged; 2] {
        [Staged::create(&folder.join(name)).unwrap(), Staged::named(folder.join(name)).unwrap()]
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        for (round, mut staged) in both(folder.path(), "x").into_iter().enumerate() {
            staged.put(&[u8::try_from(round).unwrap(); 3]).unwrap();
            assert_eq!(fs::exists(folder.path().join("x")).unwrap(), round > 0);
            staged.commit().unwrap();
            assert_eq!(fs::read(folder.path().join("x")).unwrap(), [u8::try_from(round).unwrap(); 3]);
        }
        for mut staged in both(folder.path(), "y") {
            staged.put(b"never").unwrap();
        }
        assert_eq!(names(folder.path()), ["x"]);
        assert!(NAMES.lock().unwrap().iter().all(|name| !name.starts_with(folder.path())));
    }

    #[test]
    fn an_unfinished_file_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let mut staged = Staged::create(&folder.path().join("x")).unwrap();
        staged.put(b"half").unwrap();
        if staged.name.is_none() {
            assert!(names(folder.path()).is_empty());
        }
    }

    #[test]
    fn links_stay_links_whether_they_dangle_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("below")).unwrap();
        std::os::unix::fs::symlink("below/target", at("link")).unwrap();
        std::os::unix::fs::symlink("link", at("second")).unwrap();
        for text in ["one", "two"] {
            let mut staged = Staged::create(&at("second")).unwrap();
            staged.put(text.as_bytes()).unwrap();
            staged.commit().unwrap();
            assert_eq!(fs::read_to_string(at("below/target")).unwrap(), text);
        }
        assert!(fs::symlink_metadata(at("second")).unwrap().is_symlink());
        std::os::unix::fs::symlink("circle", at("circle")).unwrap();
        assert!(Staged::create(&at("circle")).err().unwrap().to_string().contains("too many levels"));
    }

    #[test]
    fn permissions_are_those_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plain"), b"").unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        for staged in both(folder.path(), "x") {
            staged.commit().unwrap();
            assert_eq!(mode("x"), mode("plain"));
            fs::remove_file(folder.path().join("x")).unwrap();
        }
    }

    #[test]
    fn special_files_and_missing_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| Staged::create(path).err().unwrap().to_string();
        assert!(error(folder.path()).ends_with("exists and is not a regular file"));
        assert!(
            error(&folder.path().join("no/such/x"))
                .ends_with("no/such/x: No such file or directory (os error 2)")
        );
    }
}
