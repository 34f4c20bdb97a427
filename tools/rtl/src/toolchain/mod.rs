//! Finding and running the programs of the flow: Yosys and OpenSTA.
//!
//! A program runs in a folder, with its output in files there, within a time limit; when the limit is reached, the whole
//! process group ends, so that no child of it goes on.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How to install what is missing.
pub const SETUP: &str = "run tools/rtl/setup";

/// Why a program could not be found or run.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A program is missing.
    #[error("{tool} not found; {help}")]
    Missing {
        /// The program.
        tool: String,
        /// What to do.
        help: String,
    },
    /// A path was given that is something else.
    #[error("{}: expected yosys or a Python with pyosys, found {found}", path.display())]
    Other {
        /// The path.
        path: PathBuf,
        /// What it says of itself.
        found: String,
    },
    /// A program cannot be started, or its files not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Program or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program failed.
    #[error("{tool} failed: {message}")]
    Failed {
        /// The program.
        tool: String,
        /// The line in which it says why, or its last one.
        message: String,
    },
    /// A program took too long.
    #[error("{tool} did not finish within {seconds} s; raise --time-limit, or take a smaller design")]
    Slow {
        /// The program.
        tool: String,
        /// The limit.
        seconds: u64,
    },
}

impl ToolError {
    /// An error of the operating system at a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> ToolError {
        let path = path.to_owned();
        move |source| ToolError::Io { path, source }
    }
}

/// A synthesizer: the program `yosys`, or a Python with the package `pyosys`.
#[derive(Clone, Debug)]
pub struct Yosys {
    program: PathBuf,
    python: bool,
    /// Name and version, as in results.
    pub version: String,
    /// Whether it is that of the search path for want of a `.venv-rtl`.
    fallback: bool,
}

impl Yosys {
    /// The synthesizer of a path; else that of `.venv-rtl` in a folder above the current one or the program; else `yosys`
    /// of the search path.
    ///
    /// # Errors
    ///
    /// [`ToolError::Missing`] says how to install it, [`ToolError::Other`] that the path is of another program.
    pub fn find(path: Option<&Path>) -> Result<Yosys, ToolError> {
        if let Some(path) = path {
            return Yosys::probe(&located(path));
        }
        let beside = [std::env::current_dir().ok(), std::env::current_exe().ok()];
        let environments = beside
            .iter()
            .flatten()
            .flat_map(|place| place.ancestors())
            .map(|folder| folder.join(".venv-rtl/bin/python"));
        for python in environments {
            if python.exists() {
                return Yosys::probe(&python);
            }
        }
        if let Ok(yosys) = Yosys::probe(Path::new("yosys")) {
            return Ok(Yosys { fallback: true, ..yosys });
        }
        Err(ToolError::Missing {
            tool: "yosys".into(),
            help: format!("{SETUP}, or name one by --yosys PATH"),
        })
    }

    /// What a user should know who named no synthesizer and gets another version than the pinned one.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let version = &self.version;
        self.fallback.then(|| {
            format!("found no .venv-rtl, so {version} of the search path maps, whose areas may differ; {SETUP} to have the pinned pyosys")
        })
    }

    fn probe(path: &Path) -> Result<Yosys, ToolError> {
        let output = Command::new(path).arg("-V").stdin(Stdio::null()).output();
        let output = output.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ToolError::Missing {
                tool: path.display().to_string(),
                help: format!("{SETUP}, or name another by --yosys PATH"),
            },
            _ => ToolError::Io { path: path.to_owned(), source: error },
        })?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Yosys"), Some(version)) => {
                let version = format!("yosys {version}");
                Ok(Yosys { program: path.to_owned(), python: false, version, fallback: false })
            }
            (Some("Python"), _) => {
                let query = "import importlib.metadata as m; print(m.version('pyosys'))";
                let output = Command::new(path).args(["-c", query]).stdin(Stdio::null()).output();
                let output = output.map_err(ToolError::io(path))?;
                if !output.status.success() {
                    return Err(ToolError::Missing {
                        tool: format!("pyosys of {}", path.display()),
                        help: format!("{SETUP}, or name another by --yosys PATH"),
                    });
                }
                let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                let version = format!("pyosys {version}");
                Ok(Yosys { program: path.to_owned(), python: true, version, fallback: false })
            }
            _ => {
                let first = text.lines().next().map(str::trim).filter(|line| !line.is_empty());
                let found = first.unwrap_or("a program that does not say its version").to_owned();
                Err(ToolError::Other { path: path.to_owned(), found })
            }
        }
    }

    /// Runs a script in its folder; returns what it printed.
    ///
    /// # Errors
    ///
    /// [`ToolError::Failed`] with its error line, [`ToolError::Slow`].
    pub fn run(&self, folder: &Path, script: &str, limit: Duration) -> Result<String, ToolError> {
        let mut command = Command::new(&self.program);
        if self.python {
            let driver =
                format!("from pyosys import libyosys as ys\nys.run_pass('script {script}', ys.Design())\n");
            command.args(["-c", &driver]);
        } else {
            command.args(["-s", script]);
        }
        run(command, "yosys", folder, limit)
    }
}

/// Finds OpenSTA: the program of a path, or `sta` of the search path.
///
/// # Errors
///
/// [`ToolError::Missing`] says how to install it.
pub fn find_sta(path: Option<&Path>) -> Result<PathBuf, ToolError> {
    let program = located(path.unwrap_or(Path::new("sta")));
    match Command::new(&program).arg("-version").stdin(Stdio::null()).output() {
        Ok(_) => Ok(program),
        Err(_) => Err(ToolError::Missing {
            tool: format!("OpenSTA ('{}')", program.display()),
            help: format!("{SETUP}, or name one by --sta PATH"),
        }),
    }
}

/// A program's path as it is from any folder; a bare name stays one.
pub(crate) fn located(program: &Path) -> PathBuf {
    let named = program.components().count() == 1;
    let absolute = if named { None } else { std::path::absolute(program).ok() };
    absolute.unwrap_or_else(|| program.to_owned())
}

/// The files of Debian's cell library osu018: Liberty, and the LEF file with the size of its latch.
pub const DEFAULT_LIBRARY: [&str; 2] =
    ["/usr/share/qflow/tech/osu018/osu018_stdcells.lib", "/usr/share/qflow/tech/osu018/osu018_stdcells.lef"];

/// [`DEFAULT_LIBRARY`], if it is installed.
///
/// # Errors
///
/// [`ToolError::Missing`] says how to install it.
pub fn default_library() -> Result<[PathBuf; 2], ToolError> {
    let files = DEFAULT_LIBRARY.map(PathBuf::from);
    match files.iter().find(|file| !file.exists()) {
        None => Ok(files),
        Some(file) => Err(ToolError::Missing {
            tool: format!("the cell library {}", file.display()),
            help: format!("{SETUP}, or name another by --liberty FILE"),
        }),
    }
}

/// Runs a program to its end.
pub(crate) fn run(
    mut command: Command,
    tool: &str,
    folder: &Path,
    limit: Duration,
) -> Result<String, ToolError> {
    let log = folder.join(format!("{tool}.log"));
    let output = File::create(&log).map_err(ToolError::io(&log))?;
    let errors = output.try_clone().map_err(ToolError::io(&log))?;
    let program = PathBuf::from(command.get_program());
    command.current_dir(folder).stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    let mut child = command.spawn().map_err(ToolError::io(&program))?;
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(ToolError::io(&program))? {
            break status;
        }
        if begin.elapsed() > limit {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
                // It may have ended just now.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait();
            return Err(ToolError::Slow { tool: tool.to_owned(), seconds: limit.as_secs() });
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    };
    let bytes = std::fs::read(&log).map_err(ToolError::io(&log))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status.success() && !text.lines().any(|line| line.starts_with("ERROR:")) {
        return Ok(text);
    }
    let line = text.lines().find(|line| line.contains("ERROR") || line.starts_with("Error"));
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let message = line.or(last).map_or_else(|| status.to_string(), |line| line.trim().to_owned());
    Err(ToolError::Failed { tool: tool.to_owned(), message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yosys_for_want_of_the_pinned_one_is_worth_a_note() {
        let yosys = |fallback| Yosys {
            program: "yosys".into(),
            python: false,
            version: "yosys 0.23".to_owned(),
            fallback,
        };
        let note = yosys(true).note().unwrap_or_default();
        assert!(note.contains("yosys 0.23 of the search path") && note.contains("tools/rtl/setup"), "{note}");
        assert_eq!(yosys(false).note(), None);
    }
}
