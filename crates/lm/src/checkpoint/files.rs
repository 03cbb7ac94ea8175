//! The files of a checkpoint's folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use super::{Companion, Content, file::File};
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

/// The files of a checkpoint, by name.
pub(super) struct Files {
    folder: PathBuf,
    files: BTreeMap<String, Content>,
}

impl Files {
    /// The visible files of `folder`; links followed, subfolders left out.
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
            files.insert(name, Content::File(path));
        }
        Ok(Self { folder: folder.to_owned(), files })
    }

    /// Files that are in the program: name and bytes of each, of a checkpoint called `name`.
    pub(super) fn embedded(name: &str, files: &[(&str, &'static [u8])]) -> Self {
        let content = |bytes: &'static [u8]| Content::Bytes(bytes.into());
        let files = files.iter().map(|(file, bytes)| ((*file).to_owned(), content(bytes)));
        Self { folder: name.into(), files: files.collect() }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// File `name`, where there is one.
    pub(super) fn get(&self, name: &str) -> Option<File<'_>> {
        self.files.get(name).map(|content| File::new(&self.folder, name, content))
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
        let companion = |(name, content): (&String, &Content)| Companion {
            name: name.clone(),
            content: content.clone(),
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
        // the hub cache keeps blobs per model, and newer ones in a store all models share
        let model = snapshots.and_then(Path::parent);
        let models = model.filter(|model| is_cached_model(model)).and_then(Path::parent);
        let blobs = [model, models].into_iter().flatten().map(|folder| folder.join("blobs"));
        let blobs = blobs.filter_map(|blobs| blobs.canonicalize().ok());
        let allowed = blobs.chain([folder.clone()]).collect();
        Ok(Self { allowed })
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

/// Whether a folder is named as the hub cache names a model's.
fn is_cached_model(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("models--"))
}
