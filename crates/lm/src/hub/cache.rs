//! The hub's cache on disk, in the layout that its own tools share.
//!
//! ```text
//! models--owner--name/
//!   blobs/<etag>                    the bytes, one file for every content
//!   refs/<revision>                 the commit a branch or tag stood at
//!   snapshots/<commit>/<file>       a link to ../../blobs/<etag>
//! .locks/models--owner--name/<etag>.lock
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{
    digest::Etag,
    id::{ModelId, is_commit},
    listing::{INDEX, SINGLE, is_safe},
};
use crate::{Error, Observer, Result};

/// The cache of one model.
pub(super) struct Cache {
    folder: PathBuf,
    locks: PathBuf,
}

/// What the cache holds of a revision.
#[derive(Debug)]
pub(super) enum Cached {
    /// All that a model needs.
    Whole(PathBuf),
    /// Some of it.
    Partial { snapshot: PathBuf, missing: Vec<String> },
    /// Nothing.
    Absent,
}

/// How a link is made: the target, then the link.
pub(super) type Link = fn(&Path, &Path) -> io::Result<()>;

impl Cache {
    /// The cache of `id` below the cache folder `root`.
    pub(super) fn new(root: &Path, id: &ModelId) -> Self {
        Self { folder: root.join(id.folder()), locks: root.join(".locks").join(id.folder()) }
    }

    /// The model's folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder in which a commit's files have their names.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// Where the bytes of a file lie.
    pub(super) fn blob(&self, etag: &Etag) -> PathBuf {
        self.folder.join("blobs").join(etag.as_str())
    }

    /// What the cache holds of `revision`.
    pub(super) fn look_up(&self, revision: &str) -> Cached {
        let commit = if is_commit(revision) {
            Some(revision.to_owned())
        } else {
            let commit = fs::read_to_string(self.folder.join("refs").join(revision)).ok();
            commit.map(|text| text.trim().to_owned()).filter(|text| is_commit(text))
        };
        let Some(snapshot) = commit.map(|commit| self.snapshot(&commit)).filter(|s| s.is_dir())
        else {
            return Cached::Absent;
        };
        let missing = missing(&snapshot);
        if missing.is_empty() {
            Cached::Whole(snapshot)
        } else {
            Cached::Partial { snapshot, missing }
        }
    }

    /// Whether the snapshot holds a file, of the given size where one is given.
    pub(super) fn holds(&self, commit: &str, name: &str, size: Option<u64>) -> bool {
        holds(&self.snapshot(commit).join(name), size)
    }

    /// Notes that `revision` stands at `commit`.
    pub(super) fn write_ref(&self, revision: &str, commit: &str) -> Result<()> {
        let path = self.folder.join("refs").join(revision);
        if revision == commit || fs::read_to_string(&path).is_ok_and(|text| text == commit) {
            return Ok(());
        }
        create_parent(&path)?;
        let new = temporary(&path);
        fs::write(&new, commit).map_err(Error::io(&new))?;
        fs::rename(&new, &path).map_err(Error::io(path))
    }

    /// Waits until no other process writes the blob; the lock ends with the file returned. The
    /// hub's own tools take the same lock.
    pub(super) fn lock(&self, etag: &Etag, observer: &dyn Observer) -> Result<File> {
        let path = self.locks.join(format!("{}.lock", etag.as_str()));
        create_parent(&path)?;
        let mut options = File::options();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        let mut waited = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(cannot_lock(path, &error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if !waited {
                observer.note("another process is downloading the same file: waiting for it");
                waited = true;
            }
            observer.check()?;
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Gives a blob its name in the snapshot. Where links are impossible a `fresh` blob, which
    /// nothing else can point to, is moved there and an older one copied, as the hub's tools do.
    pub(super) fn place(
        &self,
        commit: &str,
        name: &str,
        etag: &Etag,
        fresh: bool,
        link: Link,
    ) -> Result<()> {
        let (blob, path) = (self.blob(etag), self.snapshot(commit).join(name));
        create_parent(&path)?;
        let up = "../".repeat(2 + name.matches('/').count());
        let new = temporary(&blob);
        let _ = fs::remove_file(&new); // left behind by a process that was killed
        let target = format!("{up}blobs/{}", etag.as_str());
        if link(Path::new(&target), &new).is_ok() {
            return fs::rename(&new, &path).map_err(Error::io(path));
        }
        if fresh {
            return fs::rename(&blob, &path).map_err(Error::io(path));
        }
        fs::copy(&blob, &new).map_err(Error::io(&new))?;
        let copied = File::open(&new).and_then(|file| file.sync_all());
        copied.map_err(Error::io(&new))?;
        fs::rename(&new, &path).map_err(Error::io(path))
    }
}

/// A symbolic link to a file, where the system knows them.
pub(super) fn symbolic_link(target: &Path, link: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, link);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_file(target, link);
    #[cfg(not(any(unix, windows)))]
    return Err(io::Error::new(io::ErrorKind::Unsupported, format!("{target:?} → {link:?}")));
}

/// The shards an index names, each once, in order of name; the problem if it is no index.
pub(super) fn shards(index: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(index).map_err(Error::io(index))?;
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Error::malformed(index, format!("not JSON: {error}")))?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| Error::malformed(index, "it has no object weight_map"))?;
    let shard = |name: &Value| match name.as_str() {
        Some(name) if is_safe(name) && name.ends_with(".safetensors") => Ok(name.to_owned()),
        _ => Err(Error::malformed(index, format!("the shard name {name} is refused"))),
    };
    let names: BTreeSet<String> = map.values().map(shard).collect::<Result<_>>()?;
    Ok(names.into_iter().collect())
}

/// Creates the folder a file is to lie in.
pub(super) fn create_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) => fs::create_dir_all(parent).map_err(Error::io(parent)),
        None => Ok(()),
    }
}

/// Whether a path leads to a file, of the given size where one is given.
pub(super) fn holds(path: &Path, size: Option<u64>) -> bool {
    let found = fs::metadata(path).ok().filter(|found| found.is_file());
    found.is_some_and(|found| size.is_none_or(|size| size == found.len()))
}

/// What a snapshot lacks of a model.
fn missing(snapshot: &Path) -> Vec<String> {
    let index = snapshot.join(INDEX);
    let mut needed = vec!["config.json".to_owned()];
    match (index.exists(), shards(&index)) {
        (true, Ok(shards)) => needed.extend(shards),
        (true, Err(error)) => return vec![error.to_string()],
        (false, _) => needed.push(SINGLE.to_owned()),
    }
    needed.retain(|name| !holds(&snapshot.join(name), None));
    needed
}

/// A name beside `path` that no other process and no other thread uses.
fn temporary(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}-{number}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn cannot_lock(path: PathBuf, error: &io::Error) -> Error {
    let text = format!("cannot be locked ({error}): set HF_HUB_CACHE to a folder on a local disk");
    Error::Io { path, source: io::Error::new(error.kind(), text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn cache() -> (tempfile::TempDir, Cache, Etag) {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path(), &"owner/name".parse().unwrap());
        let etag = Etag::parse("abc").unwrap();
        create_parent(&cache.blob(&etag)).unwrap();
        fs::write(cache.blob(&etag), "bytes").unwrap();
        (root, cache, etag)
    }

    fn no_links(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_a_relative_link_to_its_blob() {
        let (root, cache, etag) = cache();
        for (name, target) in
            [("config.json", "../../blobs/abc"), ("a/b.jinja", "../../../blobs/abc")]
        {
            cache.place(COMMIT, name, &etag, true, symbolic_link).unwrap();
            let path = root.path().join("models--owner--name/snapshots").join(COMMIT).join(name);
            assert_eq!(fs::read_link(&path).unwrap(), Path::new(target));
            assert_eq!(fs::read(&path).unwrap(), b"bytes");
        }
    }

    #[test]
    fn where_links_are_impossible_the_file_itself_lies_there() {
        let (_root, cache, etag) = cache();
        let path = |name: &str| cache.snapshot(COMMIT).join(name);
        cache.place(COMMIT, "old", &etag, false, no_links).unwrap();
        assert_eq!(fs::read(path("old")).unwrap(), b"bytes");
        assert!(cache.blob(&etag).exists());
        cache.place(COMMIT, "new", &etag, true, no_links).unwrap();
        assert_eq!(fs::read(path("new")).unwrap(), b"bytes");
        assert!(!cache.blob(&etag).exists());
    }

    #[test]
    fn tells_whole_from_partial_from_absent() {
        let (_root, cache, _) = cache();
        assert!(matches!(cache.look_up("main"), Cached::Absent));
        cache.write_ref("main", COMMIT).unwrap();
        assert!(matches!(cache.look_up("main"), Cached::Absent));
        let snapshot = cache.snapshot(COMMIT);
        fs::create_dir_all(&snapshot).unwrap();
        let missing = |revision: &str| match cache.look_up(revision) {
            Cached::Partial { missing, .. } => missing,
            Cached::Whole(_) => Vec::new(),
            Cached::Absent => panic!("absent"),
        };
        assert_eq!(missing("main"), ["config.json", SINGLE]);
        fs::write(snapshot.join("config.json"), "{}").unwrap();
        let map = r#"{"weight_map":{"x":"2.safetensors","y":"1.safetensors","z":"2.safetensors"}}"#;
        fs::write(snapshot.join(INDEX), map).unwrap();
        assert_eq!(missing(COMMIT), ["1.safetensors", "2.safetensors"]);
        fs::write(snapshot.join("1.safetensors"), "").unwrap();
        fs::write(snapshot.join("2.safetensors"), "").unwrap();
        assert!(missing("main").is_empty());
        fs::write(snapshot.join(INDEX), r#"{"weight_map":{"x":"../../secret"}}"#).unwrap();
        assert!(missing("main")[0].contains("refused"));
    }

    #[test]
    fn a_hostile_ref_does_not_leave_the_folder() {
        let (_root, cache, _) = cache();
        let path = cache.folder().join("refs/main");
        create_parent(&path).unwrap();
        fs::write(path, "../../..").unwrap();
        assert!(matches!(cache.look_up("main"), Cached::Absent));
    }

    #[test]
    fn a_lock_makes_the_second_wait_and_can_be_cancelled() {
        struct Cancelled;
        impl Observer for Cancelled {
            fn cancelled(&self) -> bool {
                true
            }
        }
        let (_root, cache, etag) = cache();
        let held = cache.lock(&etag, &Silent).unwrap();
        assert!(matches!(cache.lock(&etag, &Cancelled), Err(Error::Cancelled)));
        drop(held);
        cache.lock(&etag, &Cancelled).unwrap();
    }
}
