//! Whether the disk can take what is to be downloaded.

use std::{fs, io, path::Path};

use super::{cache::Cache, download::storage};
use crate::{Error, Result};

/// Refuses to begin a download of `needed` bytes that cannot fit the cache's disk.
pub(super) fn check(cache: &Cache, needed: u64) -> Result<()> {
    let folder = cache.folder();
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    match free(folder) {
        Some(free) if free < needed => {
            let problem = format!("{needed} bytes are needed, {free} are free");
            Err(storage(folder, io::Error::new(io::ErrorKind::StorageFull, problem)))
        }
        _ => Ok(()),
    }
}

/// The bytes of a file; none where there is no file.
pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// Free bytes on the disk of a folder, where the system says.
fn free(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    return rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail * disk.f_frsize);
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_fit_is_refused_before_it_begins() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path(), &"owner/name".parse().unwrap());
        check(&cache, 1).unwrap();
        let error = check(&cache, u64::MAX).unwrap_err().to_string();
        assert!(error.contains("are needed") && error.contains("HF_HUB_CACHE"), "{error}");
    }
}
