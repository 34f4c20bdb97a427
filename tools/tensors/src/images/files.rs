//! Which files an argument names: an image, a folder of images, or a folder of class folders. Invariant: the order of files depends on
//! their names alone.

use std::io::Read;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use strum_files::FileError;

/// Bytes that identify the type of an image.
const HEAD: u64 = 64;

/// Image files, in order.
#[derive(Clone, Debug)]
pub(super) struct ImageFiles {
    /// The file or folder that was given.
    pub(super) given: PathBuf,
    /// At least one.
    pub(super) paths: Vec<PathBuf>,
    /// The class of each, if they are in class folders.
    pub(super) labels: Option<Vec<usize>>,
}

impl ImageFiles {
    /// The images at a path; nothing if it is something else.
    ///
    /// # Errors
    /// As [`super::Images::find`].
    pub(super) fn find(path: &Path) -> Result<Option<ImageFiles>, FileError> {
        // What cannot be read is an error of who reads arrays. A pipe can be opened once.
        let Ok(about) = std::fs::metadata(path) else { return Ok(None) };
        let given = path.to_owned();
        if about.is_dir() {
            return ImageFiles::folder(given).map(Some);
        }
        let found = about.is_file() && is_image(path)?;
        Ok(found.then(|| ImageFiles { given, paths: vec![path.to_owned()], labels: None }))
    }

    fn folder(given: PathBuf) -> Result<ImageFiles, FileError> {
        let entries = entries(&given)?;
        let folders = entries.iter().filter(|path| path.is_dir()).count();
        if folders > 0 && folders < entries.len() {
            let reason = "a folder has images, or a folder of images for each class, and not both";
            return Err(FileError::content(&given, reason));
        }
        let mut files = ImageFiles { paths: Vec::new(), labels: None, given };
        if folders == 0 {
            files.paths = entries;
        } else {
            let mut labels = Vec::new();
            for (class, folder) in classes(&entries).into_iter().zip(&entries) {
                let paths = self::entries(folder)?;
                labels.extend(std::iter::repeat_n(class, paths.len()));
                files.paths.extend(paths);
            }
            files.labels = Some(labels);
        }
        if files.paths.is_empty() {
            return Err(FileError::content(&files.given, "a folder without images"));
        }
        for path in &files.paths {
            if !path.is_file() || !is_image(path)? {
                return Err(FileError::content(path, "neither a PNG nor a JPEG image"));
            }
        }
        Ok(files)
    }
}

/// The entries of a folder by name, without hidden ones.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(FileError::io(folder))? {
        let entry = entry.map_err(FileError::io(folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The files at a path, those of a folder and of its folders for classes; none if it cannot be read.
pub(crate) fn files_at(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let inner = |path: PathBuf| if path.is_dir() { entries(&path).unwrap_or_default() } else { vec![path] };
    entries(path).unwrap_or_default().into_iter().flat_map(inner).collect()
}

/// The classes of folders in the order of their names: the numbers that all names are, or 0, 1, ….
fn classes(folders: &[PathBuf]) -> Vec<usize> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
    let numbers: Option<Vec<usize>> = folders.iter().map(number).collect();
    numbers.unwrap_or_else(|| (0..folders.len()).collect())
}

/// Whether a file is a PNG or JPEG image, by its first bytes.
fn is_image(path: &Path) -> Result<bool, FileError> {
    let (file, _) = strum_files::open(path)?;
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).map_err(FileError::io(path))?;
    match image::guess_format(&head) {
        Ok(ImageFormat::Png | ImageFormat::Jpeg) => Ok(true),
        Ok(other) => {
            let reason = format!("an image of type {}: PNG and JPEG are supported", other.to_mime_type());
            Err(FileError::content(path, reason))
        }
        Err(_) => Ok(false),
    }
}
