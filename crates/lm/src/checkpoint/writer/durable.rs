//! Files that are there whole or not at all, whatever happens to the machine.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The ending of the name of a file that is being written.
const UNFINISHED: &str = ".unfinished";

/// Writes `bytes` to `path` so that a crash leaves the old content or the new, never a part: they
/// are written to a hidden file beside it, which then takes its name.
///
/// # Errors
/// When the file cannot be written.
pub fn write_durable(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Writes `path` like [`write_durable`], with what `write` puts into the file.
pub(super) fn write_with(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<()> {
    let unfinished = unfinished(path);
    let written = File::create(&unfinished).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    let named = written.and_then(|()| fs::rename(&unfinished, path));
    if let Err(error) = named {
        // The error that is reported is the first one.
        let _ = fs::remove_file(&unfinished);
        return Err(Error::io(path)(error));
    }
    sync_folder(parent(path))
}

/// The name `path` is written under, one for each process that writes it.
fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}{UNFINISHED}", std::process::id()))
}

/// Removes from `folder` the files that a crash left half-written.
pub(super) fn remove_unfinished(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// The folder `path` is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in `folder` survive a crash.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io(folder))
}
