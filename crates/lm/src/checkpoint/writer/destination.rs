//! Where an output goes, and how it takes its name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::durable::{parent, sync_folder};
use super::record::Record;
use crate::{Error, Result};

/// The folder an output is to become. While it grows it is `<name>.partial` beside it; a folder it
/// replaces is `<name>.replaced` for a moment.
pub(super) struct Destination {
    path: PathBuf,
    force: bool,
}

impl Destination {
    /// The folder `path`, links followed; `force` allows what it holds to be replaced.
    pub(super) fn new(path: &Path, force: bool) -> Result<Self> {
        Ok(Self { path: resolve(path)?, force })
    }

    /// The folder it is while it grows.
    pub(super) fn partial(&self) -> PathBuf {
        self.beside("partial")
    }

    fn replaced(&self) -> PathBuf {
        self.beside("replaced")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{ending}"));
        self.path.with_file_name(name)
    }

    /// Whether an unfinished output is there that is worth going on with.
    pub(super) fn is_unfinished(&self) -> bool {
        Record::holds_work(&self.partial()) || Record::holds_work(&self.path)
    }

    /// Undoes a [`Self::commit`] that was cut short, so that it can be done again.
    pub(super) fn recover(&self) -> Result<()> {
        let (partial, replaced) = (self.partial(), self.replaced());
        if Record::marks(&self.path) && !partial.exists() {
            fs::rename(&self.path, &partial).map_err(Error::io(&partial))?;
            remove(&replaced)?;
        } else if Record::marks(&partial) && !self.path.exists() && replaced.exists() {
            fs::rename(&replaced, &self.path).map_err(Error::io(&self.path))?;
        }
        Ok(())
    }

    /// Checks that writing here does not touch the source.
    pub(super) fn check_apart(&self, source: &Path) -> Result<()> {
        let Ok(source) = source.canonicalize() else { return Ok(()) };
        if self.path.starts_with(&source) || source.starts_with(&self.path) {
            let problem = format!(
                "the output and the model it is made from, {}, must not hold each other; name \
                 another folder",
                source.display()
            );
            return Err(Error::malformed(&self.path, problem));
        }
        Ok(())
    }

    /// Checks that nothing is there, or nothing that may not be replaced.
    pub(super) fn check_free(&self) -> Result<()> {
        let refuse = |problem: &str| Err(Error::malformed(&self.path, problem));
        if !self.path.exists() {
            return Ok(());
        }
        if !self.path.is_dir() {
            return refuse("the output is a folder and this is a file; name another one");
        }
        let mut held = fs::read_dir(&self.path).map_err(Error::io(&self.path))?.peekable();
        if held.peek().is_none() {
            return Ok(());
        }
        if !self.force {
            return refuse("the output folder is not empty; name another one or use --force");
        }
        for entry in held {
            if entry.map_err(Error::io(&self.path))?.path().is_dir() {
                return refuse("it holds folders, so it is no checkpoint; --force leaves it alone");
            }
        }
        if self.replaced().exists() {
            let problem = "it is in the way of replacing the output; move or remove it";
            return Err(Error::malformed(self.replaced(), problem));
        }
        Ok(())
    }

    /// Checks that no unfinished output is there, or only one that may be removed.
    pub(super) fn check_clear(&self) -> Result<()> {
        let partial = self.partial();
        if is_empty(&partial) {
            return Ok(());
        }
        if !Record::marks(&partial) {
            let problem = "it is in the way and no output of Secateur; move or remove it";
            return Err(Error::malformed(partial, problem));
        }
        if Record::holds_work(&partial) && !self.force {
            let problem = "an unfinished output is there; go on with --resume or start over with \
                           --force";
            return Err(Error::malformed(partial, problem));
        }
        Ok(())
    }

    /// Removes an unfinished output where that is allowed, or nothing is lost with it.
    pub(super) fn clear(&self) -> Result<()> {
        let partial = self.partial();
        if !partial.exists() || fs::remove_dir(&partial).is_ok() {
            return Ok(());
        }
        self.check_clear()?;
        let _lock = Record::open(&partial)?;
        remove(&partial)
    }

    /// Checks that `needed` bytes fit the file system.
    pub(super) fn check_space(&self, needed: u64) -> Result<()> {
        let folder = parent(&self.path);
        let facts = rustix::fs::statvfs(folder).map_err(|error| Error::io(folder)(error.into()))?;
        let free = facts.f_bavail.saturating_mul(facts.f_frsize);
        if needed <= free {
            return Ok(());
        }
        let problem = format!("the output needs {needed} bytes of disk space, {free} are free");
        Err(Error::malformed(folder, problem))
    }

    /// Gives the finished output its name and removes `discard` and the mark from it.
    pub(super) fn commit(&self, record: Record, discard: &[&str]) -> Result<()> {
        let (partial, replaced) = (self.partial(), self.replaced());
        self.check_free()?;
        sync_folder(&partial)?;
        if self.path.exists() {
            fs::rename(&self.path, &replaced).map_err(Error::io(&self.path))?;
        }
        fs::rename(&partial, &self.path).map_err(Error::io(&self.path))?;
        sync_folder(parent(&self.path))?;
        remove(&replaced)?;
        // Until the mark goes, a killed run can go on, for which it needs what is discarded.
        record.remove(&self.path)?;
        for name in discard {
            let path = self.path.join(name);
            if path.exists() {
                fs::remove_file(&path).map_err(Error::io(path))?;
            }
        }
        sync_folder(&self.path)
    }
}

/// Whether there is no folder, or one with nothing in it.
fn is_empty(folder: &Path) -> bool {
    !folder.exists() || fs::read_dir(folder).is_ok_and(|mut held| held.next().is_none())
}

/// Removes a folder and what is in it, where it is there.
fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(Error::io(folder))
}

/// `path` without links and relative parts; the folder it is in must be there.
fn resolve(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        return path.canonicalize().map_err(Error::io(path));
    }
    let Some(name) = path.file_name() else {
        return Err(Error::malformed(path, "the name of an output folder expected"));
    };
    let folder = parent(path);
    Ok(folder.canonicalize().map_err(Error::io(folder))?.join(name))
}
