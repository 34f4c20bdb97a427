//! The files that a command reads and writes, checked before the work begins.
//!
//! Invariant: after [`Places::check`] no output overwrites another one, or an input that is still to be read.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::FileError;
use crate::input::is_standard;
use crate::output::check_sink;
use crate::staged::follow;

/// The files of a command, each with the option that names it.
#[derive(Clone, Debug, Default)]
pub struct Places {
    inputs: Vec<(&'static str, PathBuf)>,
    outputs: Vec<(&'static str, PathBuf)>,
    /// Outputs in a folder that is created later.
    kept: Vec<(&'static str, PathBuf)>,
    /// Options for which `-` is not standard output.
    files_only: Vec<&'static str>,
}

impl Places {
    /// Files that are read; `-` is standard input.
    #[must_use]
    pub fn reads<P: Into<PathBuf>>(
        mut self,
        option: &'static str,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        self.inputs.extend(paths.into_iter().map(|path| (option, path.into())));
        self
    }

    /// Files that are written; `-` is standard output.
    #[must_use]
    pub fn writes<P: Into<PathBuf>>(
        mut self,
        option: &'static str,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        self.outputs.extend(paths.into_iter().map(|path| (option, path.into())));
        self
    }

    /// Files that are written and cannot go to standard output.
    #[must_use]
    pub fn writes_files<P: Into<PathBuf>>(
        mut self,
        option: &'static str,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        self.files_only.push(option);
        self.writes(option, paths)
    }

    /// A folder that is created if missing, and files in it.
    #[must_use]
    pub fn keeps<P: Into<PathBuf>>(
        mut self,
        option: &'static str,
        paths: impl IntoIterator<Item = P>,
    ) -> Self {
        self.kept.extend(paths.into_iter().map(|path| (option, path.into())));
        self
    }

    /// Refuses outputs that would overwrite each other or an input, and unwritable destinations.
    ///
    /// # Errors
    /// The option and its conflict.
    pub fn check(&self) -> Result<(), FileError> {
        let pair = |(option, path): &'_ (&'static str, PathBuf)| (*option, path.clone());
        let outputs: Vec<_> = self.outputs.iter().chain(&self.kept).map(pair).collect();
        for (option, _) in self.outputs.iter().filter(|(_, path)| is_standard(path)) {
            if self.files_only.contains(option) {
                let text = format!("{option} -: expected the name of a file, not standard output");
                return Err(FileError::Usage(text));
            }
        }
        check_distinct(outputs.iter().map(|(option, path)| (*option, path.as_path())))?;
        let mut read = Vec::new();
        for (option, path) in self.inputs.iter().filter(|(_, path)| !is_standard(path)) {
            read.extend(place(path)?.map(|place| (option, place)));
        }
        for (option, path) in &outputs {
            let Some(place) = place(path)? else { continue };
            if let Some((input, _)) = read.iter().find(|(_, known)| *known == place) {
                let path = path.display();
                let text =
                    format!("{option} would overwrite '{path}', which is read ({input}): give another file");
                return Err(FileError::Usage(text));
            }
        }
        self.outputs.iter().try_for_each(|(_, path)| check_sink(path, false))
    }
}

/// Refuses outputs that would overwrite each other; each comes with the option that names it. Standard output can be given once,
/// devices and pipes any number of times.
///
/// # Errors
/// Two outputs in one file, also through links.
pub fn check_distinct<'p>(outputs: impl IntoIterator<Item = (&'p str, &'p Path)>) -> Result<(), FileError> {
    let mut seen: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs {
        let Some(place) = place(path)? else { continue };
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == place) {
            let path = path.display();
            let what = if *other == option {
                format!("two of {option} would go to '{path}'")
            } else {
                format!("{other} and {option} would both go to '{path}'")
            };
            return Err(FileError::Usage(format!("{what}: give each a file of its own")));
        }
        seen.push((option, place));
    }
    Ok(())
}

/// The canonical name of a file, through links and dots; a file that does not exist yet has one as well.
///
/// # Errors
/// A cycle of links.
pub fn resolve(path: &Path) -> Result<PathBuf, FileError> {
    let path = follow(path)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A missing folder is a separate error, later.
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    Ok(match path.file_name() {
        Some(name) => folder.join(name),
        None => fs::canonicalize(&path).unwrap_or(path),
    })
}

/// The canonical name of a destination; nothing for one that can receive several outputs.
fn place(path: &Path) -> Result<Option<PathBuf>, FileError> {
    if is_standard(path) {
        return Ok(Some(path.to_owned()));
    }
    if fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        return Ok(None);
    }
    resolve(path).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_in_one_file_are_refused_whatever_leads_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("d")).unwrap();
        std::os::unix::fs::symlink("x", at("link")).unwrap();
        let check = |a: &Path, b: &Path| check_distinct([("--report", a), ("--output", b)]);
        assert!(check(&at("x"), &at("y")).is_ok());
        assert!(check(Path::new("/dev/null"), Path::new("/dev/null")).is_ok());
        for other in [at("x"), at("link"), at("d/../x")] {
            let error = check(&at("x"), &other).unwrap_err().to_string();
            assert!(error.starts_with("--report and --output would both go to"), "{error}");
        }
        assert!(check(Path::new("-"), Path::new("-")).is_err());
        assert!(check(&at("d"), &at("d/.")).is_err() && check(&at("d/none/x"), &at("d/none/x")).is_err());
        let twice = check_distinct([("--output", at("x").as_path()), ("--output", at("x").as_path())]);
        assert!(twice.unwrap_err().to_string().starts_with("two of --output would go to"));
    }

    #[test]
    fn outputs_in_the_place_of_inputs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("x"), "").unwrap();
        std::os::unix::fs::symlink("x", at("link")).unwrap();
        let check = |a: &Path, b: &Path| Places::default().reads("--input", [a]).writes("-o", [b]).check();
        for (input, output) in [("x", "x"), ("link", "x"), ("x", "link"), ("x", "./x")] {
            let error = check(&at(input), &at(output)).unwrap_err().to_string();
            assert!(error.contains("-o would overwrite") && error.contains("(--input)"), "{error}");
        }
        assert!(check(&at("x"), &at("y")).is_ok());
        assert!(check(Path::new("-"), Path::new("-")).is_ok());
        assert!(check(Path::new("/dev/null"), Path::new("/dev/null")).is_ok());
        assert!(check(&at("x"), &at("none/y")).unwrap_err().to_string().contains("No such file"));
        let kept = Places::default().reads("--input", [at("x")]).keeps("--save-temps", [at("x")]);
        assert!(kept.check().is_err());
    }

    #[test]
    fn standard_output_is_refused_where_a_file_is_needed() {
        let places = Places::default().writes_files("--report", ["-"]);
        assert_eq!(
            places.check().unwrap_err().to_string(),
            "--report -: expected the name of a file, not standard output"
        );
    }
}
