//! The mark of an unfinished output, which lists the tensors that are safely in it.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// The mark's name.
const FILE: &str = ".secateur-unfinished";

/// The open mark of an unfinished output; while it is open no other process can take it.
pub(super) struct Record {
    path: PathBuf,
    file: File,
    /// Tensors on disk for good.
    safe: BTreeSet<String>,
    /// Tensors written since the last sync.
    fresh: BTreeSet<String>,
}

impl Record {
    /// Whether `folder` is an unfinished output.
    pub(super) fn marks(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// Whether `folder` is an unfinished output that holds tensors.
    pub(super) fn holds_work(folder: &Path) -> bool {
        folder.join(FILE).metadata().is_ok_and(|facts| facts.is_file() && facts.len() > 0)
    }

    /// Marks `folder`, which is new and empty.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = File::create_new(&path).map_err(Error::io(&path))?;
        lock(&path, &file)?;
        Ok(Self { path, file, safe: BTreeSet::new(), fresh: BTreeSet::new() })
    }

    /// Takes the mark of `folder` that an earlier process left.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        lock(&path, &file)?;
        let text = fs::read(&path).map_err(Error::io(&path))?;
        // A line that a crash cut short is of a tensor that is written again.
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(Error::io(&path))?;
        let lines = text[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        let names = lines.map(serde_json::from_slice::<String>);
        let safe = names.collect::<std::result::Result<_, _>>().map_err(|error| {
            Error::malformed(&path, format!("damaged ({error}); start over with --force"))
        })?;
        Ok(Self { path, file, safe, fresh: BTreeSet::new() })
    }

    /// Notes that `tensor` was written.
    pub(super) fn wrote(&mut self, tensor: &str) {
        self.fresh.insert(tensor.to_owned());
    }

    /// Whether `tensor` was written.
    pub(super) fn has(&self, tensor: &str) -> bool {
        self.safe.contains(tensor) || self.fresh.contains(tensor)
    }

    /// The tensors written since they were last kept.
    pub(super) fn fresh(&self) -> &BTreeSet<String> {
        &self.fresh
    }

    /// Records `tensors`, whose values are on disk by now, for good.
    pub(super) fn keep(&mut self, tensors: &BTreeSet<String>) -> Result<()> {
        let mut lines = String::new();
        for name in tensors.difference(&self.safe) {
            lines.push_str(&serde_json::Value::from(name.as_str()).to_string());
            lines.push('\n');
        }
        let file = &mut self.file;
        let appended = file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(lines.as_bytes()));
        appended.and_then(|()| self.file.sync_all()).map_err(Error::io(&self.path))?;
        self.fresh.retain(|name| !tensors.contains(name));
        self.safe.extend(tensors.iter().cloned());
        Ok(())
    }

    /// Removes the mark from `folder`: the output is finished.
    pub(super) fn remove(self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        fs::remove_file(&path).map_err(Error::io(path))
    }
}

fn lock(path: &Path, file: &File) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(Error::malformed(path, "another process is writing this output; let it end"))
        }
        Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
    }
}
