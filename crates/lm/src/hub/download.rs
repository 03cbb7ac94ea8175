//! One file: from the server into its blob, resumed where it was left, checked, and only then
//! given its name.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use ureq::{Body, http::Response};

use super::{
    cache::create_parent,
    client::{Client, Remote},
    digest::Hasher,
    refusal::broken,
};
use crate::http::{Failure, Try, header};
use crate::{Error, Observer, Result};

/// Bytes read before the next look at the observer.
const CHUNK: usize = 256 << 10;
/// Bytes after which a try counts as progress, so that it does not use up the retries.
const PROGRESS: u64 = 1 << 20;

/// Downloads `url` into `blob` by way of `<blob>.incomplete`. The caller holds the blob's lock.
///
/// # Errors
/// When the server fails for good or too often, when the bytes are not those it promised (they
/// are deleted then), or when they cannot be written.
pub(super) fn download(client: &Client<'_>, url: &str, remote: &Remote, blob: &Path) -> Result<()> {
    create_parent(blob)?;
    let mut part = Part::open(client.observer, remote, incomplete(blob))?;
    loop {
        let resumed = part.length > 0;
        client.retry(url, client.options.retries, || part.attempt(client, url))?;
        let hasher = std::mem::replace(&mut part.hasher, Hasher::Unknown);
        let Some(found) = hasher.mismatch(&remote.etag) else { return part.finish(blob) };
        part.restart()?;
        if resumed {
            client.observer.note("what an earlier run left is damaged: downloading it again");
            continue;
        }
        let problem = format!("its hash is {found}, {} was promised", remote.etag.as_str());
        return Err(part.discard(url, &problem));
    }
}

/// Where a blob's bytes lie until they are whole.
pub(super) fn incomplete(blob: &Path) -> PathBuf {
    let mut name = blob.as_os_str().to_owned();
    name.push(".incomplete");
    name.into()
}

/// A file in the making: the bytes so far, and their hash.
struct Part<'a> {
    observer: &'a dyn Observer,
    remote: &'a Remote,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    /// Bytes written.
    length: u64,
    /// Bytes reported to the observer, which never go back.
    reported: u64,
}

impl<'a> Part<'a> {
    /// Opens what an earlier run left. It is kept only where the hash can tell whether it is good.
    fn open(observer: &'a dyn Observer, remote: &'a Remote, path: PathBuf) -> Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| storage(&path, error))?;
        let hasher = remote.etag.hasher(remote.size);
        let mut part = Self { observer, remote, path, file, hasher, length: 0, reported: 0 };
        let left = part.file.metadata().map_err(Error::io(&part.path))?.len();
        if left > remote.size || !remote.etag.is_hash() {
            part.restart()?;
        } else {
            part.take_up(left)?;
        }
        Ok(part)
    }

    /// Hashes the bytes that are there.
    fn take_up(&mut self, left: u64) -> Result<()> {
        let mut chunk = vec![0; CHUNK];
        while self.length < left {
            self.observer.check()?;
            let count = self.file.read(&mut chunk).map_err(Error::io(&self.path))?;
            if count == 0 {
                break;
            }
            self.hasher.update(&chunk[..count]);
            self.advance(count);
        }
        Ok(())
    }

    /// Throws the bytes away.
    fn restart(&mut self) -> Result<()> {
        self.length = 0;
        self.hasher = self.remote.etag.hasher(self.remote.size);
        let rewound = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        rewound.map(|_| ()).map_err(Error::io(&self.path))
    }

    fn advance(&mut self, count: usize) {
        self.length += count as u64;
        if self.length > self.reported {
            self.observer.advanced(self.length - self.reported);
            self.reported = self.length;
        }
    }

    /// One try at the rest of the file.
    fn attempt(&mut self, client: &Client<'_>, url: &str) -> Try<()> {
        if self.length == self.remote.size {
            return Ok(());
        }
        let mut answer = client.get(url, self.length)?;
        match answer.status().as_u16() {
            206 if continues(&answer, self.length) => {}
            200 => self.restart()?, // the server does not know ranges, or was asked for all
            206 | 416 => {
                self.restart()?;
                return Err(Failure::passing("the server gives another part than asked for"));
            }
            status => return Err(broken(url, format!("the server answers {status}")).into()),
        }
        let announced = header(&answer, "content-length").and_then(|text| text.parse::<u64>().ok());
        let expected = self.remote.size - self.length;
        if let Some(announced) = announced.filter(|&announced| announced != expected) {
            let problem = format!("the server gives {announced} bytes, {expected} were promised");
            return Err(self.discard(url, &problem).into());
        }
        let reported = self.reported;
        let stopped = self.copy(&mut answer)?;
        if self.length == self.remote.size && stopped.is_none() {
            return Ok(());
        }
        if self.length > self.remote.size {
            let problem = format!("more than the {} bytes promised", self.remote.size);
            return Err(self.discard(url, &problem).into());
        }
        let problem = stopped.unwrap_or_else(|| "the connection was dropped".to_owned());
        let progressed = self.reported - reported >= PROGRESS;
        Err(Failure::Passing { problem, progressed, wait: None })
    }

    /// Takes the answer's bytes, at most one more than promised; what the connection said if it
    /// broke.
    fn copy(&mut self, answer: &mut Response<Body>) -> Result<Option<String>> {
        let mut body = answer.body_mut().as_reader().take(self.remote.size - self.length + 1);
        let mut chunk = vec![0; CHUNK];
        loop {
            self.observer.check()?;
            let count = match body.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Some(error.to_string())),
            };
            let written = self.file.write_all(&chunk[..count]);
            written.map_err(|error| storage(&self.path, error))?;
            self.hasher.update(&chunk[..count]);
            self.advance(count);
        }
    }

    /// Puts the bytes on the disk and gives them their name.
    fn finish(self, blob: &Path) -> Result<()> {
        self.file.sync_all().map_err(|error| storage(&self.path, error))?;
        drop(self.file);
        fs::rename(&self.path, blob).map_err(Error::io(blob))?;
        #[cfg(unix)]
        if let Some(folder) = blob.parent() {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(Error::io(folder))?;
        }
        Ok(())
    }

    /// Deletes the bytes and says why.
    fn discard(&self, url: &str, problem: &str) -> Error {
        match fs::remove_file(&self.path) {
            Ok(()) => broken(url, format!("{problem}; the bytes were deleted")),
            Err(error) => Error::io(&self.path)(error),
        }
    }
}

/// Whether a partial answer begins at byte `start`.
fn continues(answer: &Response<Body>, start: u64) -> bool {
    let range = header(answer, "content-range").and_then(|range| range.strip_prefix("bytes "));
    range.and_then(|range| range.split('-').next()).and_then(|first| first.parse().ok())
        == Some(start)
}

/// A system error while writing to the cache, with the way out where the disk is full.
pub(super) fn storage(path: &Path, error: io::Error) -> Error {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let source = if full {
        let hint = "free some space and run it again (what was downloaded is kept), or set \
                    HF_HUB_CACHE to a folder on another disk";
        io::Error::new(error.kind(), format!("{error}: {hint}"))
    } else {
        error
    };
    Error::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_what_to_do() {
        let error = storage(Path::new("/cache/blobs/x"), io::ErrorKind::StorageFull.into());
        assert!(error.to_string().starts_with("/cache/blobs/x: "), "{error}");
        assert!(error.to_string().contains("HF_HUB_CACHE"), "{error}");
        assert!(!error.is_bad_input());
        let other = storage(Path::new("x"), io::ErrorKind::PermissionDenied.into());
        assert!(!other.to_string().contains("HF_HUB_CACHE"), "{other}");
    }

    #[test]
    fn a_range_must_begin_where_it_was_asked_to() {
        let answer = |range: &str| {
            let body = Body::builder().data("");
            Response::builder().header("content-range", range).body(body).unwrap()
        };
        assert!(continues(&answer("bytes 7-9/10"), 7));
        assert!(!continues(&answer("bytes 6-9/10"), 7));
        assert!(!continues(&answer("7-9/10"), 7));
    }
}
