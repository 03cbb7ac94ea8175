//! The files of a checkpoint's folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use super::{Companion, Content};
use crate::{Error, Result};

/// Endings of files that hold weights in one form or another.
const WEIGHTS: &[&str] = &[
    ".safetensors",
    ".safetensors.index.json",
    ".bin",
    ".bin.index.json",
    ".pt",
    ".pth",
    ".ckpt",
    ".gguf",
    ".h5",
    ".msgpack",
    ".onnx",
    ".onnx_data",
    ".ot",
    ".tflite",
];

/// Files that describe the input and not what is made of it.
const LEFT_BEHIND: &[&str] = &["README.md"];

/// The visible files of a folder, by name; links followed, subfolders left out.
pub(super) struct Files {
    folder: PathBuf,
    files: BTreeMap<String, PathBuf>,
}

impl Files {
    /// Lists `folder`.
    pub(super) fn list(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let inside = Inside::of(folder)?;
        for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
            let entry = entry.map_err(Error::io(folder))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = entry.path();
            // Folders, pipes and devices are no files to copy; a broken link is reported below.
            if name.starts_with('.') || (path.exists() && !path.is_file()) {
                continue;
            }
            inside.check(&path)?;
            files.insert(name, path);
        }
        Ok(Self { folder: folder.to_owned(), files })
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of file `name`, where there is one.
    pub(super) fn get(&self, name: &str) -> Option<&Path> {
        self.files.get(name).map(PathBuf::as_path)
    }

    /// The names that end in `ending`.
    pub(super) fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.keys().map(String::as_str).filter(move |name| name.ends_with(ending))
    }

    /// The files that travel with the weights.
    pub(super) fn companions(&self) -> Vec<Companion> {
        let travels = |name: &str| {
            !LEFT_BEHIND.contains(&name) && !WEIGHTS.iter().any(|ending| name.ends_with(ending))
        };
        let files = self.files.iter().filter(|(name, _)| travels(name));
        let companion = |(name, path): (&String, &PathBuf)| Companion {
            name: name.clone(),
            content: Content::File(path.clone()),
        };
        files.map(companion).collect()
    }
}

/// Whether `name` is the name of a file and not a path that leads elsewhere.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let single = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    single && !name.contains(['/', '\\', '\0'])
}

/// Where links of a folder may lead: the folder itself and the `blobs` of the hub's cache, where a
/// snapshot's files are links to `../../blobs`.
struct Inside {
    allowed: Vec<PathBuf>,
}

impl Inside {
    fn of(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().map_err(Error::io(folder))?;
        let snapshots = folder.parent().filter(|parent| parent.ends_with("snapshots"));
        let blobs = snapshots.and_then(Path::parent).map(|model| model.join("blobs"));
        let blobs = blobs.and_then(|blobs| blobs.canonicalize().ok());
        Ok(Self { allowed: [folder].into_iter().chain(blobs).collect() })
    }

    fn check(&self, path: &Path) -> Result<()> {
        let target = path.canonicalize().map_err(Error::io(path))?;
        if self.allowed.iter().any(|folder| target.starts_with(folder)) {
            return Ok(());
        }
        Err(Error::malformed(
            path,
            format!(
                "it is a link out of the folder, to {}; put the file itself there",
                target.display()
            ),
        ))
    }
}
