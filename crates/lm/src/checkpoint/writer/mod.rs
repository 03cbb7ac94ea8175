//! Writing a checkpoint: tensors in any order, resumable, under its name only when complete.

mod destination;
mod durable;
mod layout;
mod plan;
mod record;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Checkpoint, Companion, Content, Tensor, TensorStore, files::is_plain};
use crate::{Error, Result};
use destination::Destination;
use layout::{Layout, check_length};
use plan::Plan;
use record::Record;

pub use durable::write_durable;
pub use layout::write_safetensors;

/// Writes a checkpoint with the tensors of another: the same names, types and shapes, other values.
///
/// The output grows in `<destination>.partial` beside its place and takes its name in
/// [`CheckpointWriter::finish`]. Equal tensors give equal bytes, in whatever order they are written.
pub struct CheckpointWriter {
    destination: Destination,
    folder: PathBuf,
    source: Arc<dyn TensorStore>,
    companions: Vec<Companion>,
    plan: Plan,
    files: Vec<File>,
    places: BTreeMap<String, (usize, Range<u64>)>,
    record: Mutex<Record>,
    added: Mutex<BTreeSet<String>>,
}

impl CheckpointWriter {
    /// Begins an output in `destination` with the tensors and companions of `source`, in files as
    /// `source` has them or of at most 5 GB.
    ///
    /// # Errors
    /// When `destination` is not empty (without `force`), or is a file, or holds the source or is
    /// held by it; when an unfinished output is there (without `force`); when the disk is too full.
    pub fn create(destination: &Path, source: &Checkpoint, force: bool) -> Result<Self> {
        let parent = durable::parent(destination);
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
        let destination = Destination::new(destination, force)?;
        destination.recover()?;
        destination.check_apart(&source.path)?;
        destination.check_free()?;
        destination.clear()?;
        let plan = Plan::new(source)?;
        destination.check_space(size(&plan, source)?)?;
        let folder = destination.partial();
        fs::create_dir(&folder).map_err(Error::io(&folder))?;
        let record = Record::create(&folder)?;
        let file = |layout| create_file(&folder, layout);
        let files = plan.files.iter().map(file).collect::<Result<_>>()?;
        durable::sync_folder(&folder)?;
        Self::new(destination, source, plan, files, record)
    }

    /// Makes sure that an output could be begun in `destination`, and writes nothing. What the
    /// output will take on disk, in bytes.
    ///
    /// # Errors
    /// As [`CheckpointWriter::create`].
    pub fn check(destination: &Path, source: &Checkpoint, force: bool) -> Result<u64> {
        let size = size(&Plan::new(source)?, source)?;
        if !durable::parent(destination).exists() {
            return Ok(size); // it will be made, and nothing can be in the way
        }
        let destination = Destination::new(destination, force)?;
        destination.check_apart(&source.path)?;
        destination.check_free()?;
        destination.check_clear()?;
        destination.check_space(size)?;
        Ok(size)
    }

    /// Goes on with the unfinished output of `destination`, which was begun from the same `source`.
    ///
    /// Tensors that were written and synced are still there; others count as not written.
    ///
    /// # Errors
    /// When there is no unfinished output, its files are not those planned for `source`, another
    /// process is writing it; or as for [`CheckpointWriter::create`].
    pub fn resume(destination: &Path, source: &Checkpoint, force: bool) -> Result<Self> {
        let destination = Destination::new(destination, force)?;
        destination.recover()?;
        destination.check_apart(&source.path)?;
        destination.check_free()?;
        let folder = destination.partial();
        if !Record::marks(&folder) {
            return Err(Error::malformed(folder, "there is no unfinished output to go on with"));
        }
        let record = Record::open(&folder)?;
        let plan = Plan::new(source)?;
        let file = |layout| reopen_file(&folder, layout);
        let files = plan.files.iter().map(file).collect::<Result<_>>()?;
        let writer = Self::new(destination, source, plan, files, record)?;
        let rest: u64 = writer.unwritten().map(|(_, place)| place.end - place.start).sum();
        writer.destination.check_space(rest)?;
        Ok(writer)
    }

    fn new(
        destination: Destination,
        source: &Checkpoint,
        plan: Plan,
        files: Vec<File>,
        record: Record,
    ) -> Result<Self> {
        let writer = Self {
            folder: destination.partial(),
            destination,
            source: Arc::clone(&source.store),
            companions: source.companions.clone(),
            places: plan.places(),
            plan,
            files,
            record: Mutex::new(record),
            added: Mutex::default(),
        };
        // Not after the hours that a run takes.
        writer.companions.iter().try_for_each(|file| writer.beside(&file.name).map(|_| ()))?;
        Ok(writer)
    }

    /// Whether there is an unfinished output for `destination`.
    pub fn exists_partial(destination: &Path) -> bool {
        Destination::new(destination, false).is_ok_and(|place| place.is_unfinished())
    }

    /// The folder of the unfinished output.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes one tensor's values, little-endian. Threads may write different tensors at once.
    ///
    /// # Errors
    /// When there is no such tensor, the length is not that of its shape, or the disk refuses.
    pub fn write(&self, tensor: &str, bytes: &[u8]) -> Result<()> {
        let (file, place) = self.place(tensor)?;
        check_length(tensor, place.end - place.start, bytes)?;
        let written = self.files[file].write_all_at(bytes, place.start);
        written.map_err(Error::io(self.path(file)))?;
        locked(&self.record).wrote(tensor);
        Ok(())
    }

    /// Writes one tensor as the source has it.
    ///
    /// # Errors
    /// When the tensor cannot be read or written.
    pub fn copy(&self, tensor: &str) -> Result<()> {
        self.write(tensor, &self.source.read(tensor)?.bytes)?;
        self.source.release(tensor);
        Ok(())
    }

    /// Copies every tensor that was not written from the source.
    ///
    /// # Errors
    /// When a tensor cannot be read or written.
    pub fn copy_rest(&self) -> Result<()> {
        let rest: Vec<_> = self.unwritten().map(|(name, _)| name.clone()).collect();
        rest.iter().try_for_each(|name| self.copy(name))
    }

    /// One tensor as it was written.
    ///
    /// # Errors
    /// When it was not written yet, or cannot be read.
    pub fn read(&self, tensor: &str) -> Result<Tensor<'static>> {
        let (file, place) = self.place(tensor)?;
        if !locked(&self.record).has(tensor) {
            return Err(Error::tensor(tensor, "it was not written to the output yet"));
        }
        let info = self.source.info(tensor)?.clone();
        let mut bytes = vec![0; info.bytes()];
        let read = self.files[file].read_exact_at(&mut bytes, place.start);
        read.map_err(Error::io(self.path(file)))?;
        Ok(Tensor { info, bytes: bytes.into() })
    }

    /// Makes what was written so far survive a crash.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<()> {
        let tensors = locked(&self.record).fresh().clone();
        let files: BTreeSet<_> = tensors.iter().map(|name| self.places[name].0).collect();
        for file in files {
            self.files[file].sync_all().map_err(Error::io(self.path(file)))?;
        }
        locked(&self.record).keep(&tensors)
    }

    /// Adds or replaces a file beside the weights; after a crash it is there whole or as before.
    ///
    /// # Errors
    /// When `name` is not the name of a file or that of a weight file, or the disk refuses.
    pub fn add_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.beside(name)?;
        locked(&self.added).insert(name.to_owned());
        durable::write_durable(&path, bytes)
    }

    /// Completes the output and gives it its name; `discard` are files that were added only for
    /// the time of writing. With `force`, what is there is replaced, after the new one is complete.
    ///
    /// # Errors
    /// When a tensor was not written, or the disk refuses. The unfinished output stays and can be
    /// resumed.
    pub fn finish(self, discard: &[&str]) -> Result<()> {
        if let Some((name, _)) = self.unwritten().next() {
            return Err(Error::tensor(name, "it was not written; the output is not complete"));
        }
        self.sync()?;
        for companion in &self.companions {
            if !locked(&self.added).contains(&companion.name) {
                self.carry(companion)?;
            }
        }
        if let Some((name, index)) = self.plan.index() {
            durable::write_durable(&self.folder.join(name), &index)?;
        }
        durable::remove_unfinished(&self.folder)?;
        drop(self.files);
        let record = self.record.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.destination.commit(record, discard)
    }

    /// Copies a file of the source.
    fn carry(&self, companion: &Companion) -> Result<()> {
        let path = self.beside(&companion.name)?;
        match &companion.content {
            Content::Bytes(bytes) => durable::write_durable(&path, bytes),
            Content::File(source) => {
                let mut from = File::open(source).map_err(Error::io(source))?;
                durable::write_with(&path, |file| io::copy(&mut from, file).map(|_| ()))
            }
        }
    }

    /// The path of a file beside the weights.
    fn beside(&self, name: &str) -> Result<PathBuf> {
        if !is_plain(name) || name.starts_with('.') || self.plan.takes(name) {
            let problem = format!("{name:?} cannot be the name of a file beside the weights");
            return Err(Error::malformed(&self.folder, problem));
        }
        Ok(self.folder.join(name))
    }

    fn place(&self, tensor: &str) -> Result<(usize, Range<u64>)> {
        let place = self.places.get(tensor).cloned();
        place.ok_or_else(|| Error::tensor(tensor, "the output has no such tensor"))
    }

    /// The tensors that were not written, and where they go.
    fn unwritten(&self) -> impl Iterator<Item = (&String, &Range<u64>)> {
        let places = self.places.iter().map(|(name, (_, place))| (name, place));
        places.filter(|(name, _)| !locked(&self.record).has(name))
    }

    fn path(&self, file: usize) -> PathBuf {
        self.folder.join(&self.plan.files[file].file)
    }
}

/// A lock whose holder cannot leave what it guards half-done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of the files of `plan` and of what travels with them.
fn size(plan: &Plan, source: &Checkpoint) -> Result<u64> {
    let weights: u64 = plan.files.iter().map(Layout::size).sum();
    Ok(weights + plan::companion_bytes(source)?)
}

/// A weight file of its full size, with its header.
fn create_file(folder: &Path, layout: &Layout) -> Result<File> {
    let path = folder.join(&layout.file);
    let create = || {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        file.write_all(&layout.header)?;
        file.set_len(layout.size())?;
        file.sync_all()?;
        Ok(file)
    };
    create().map_err(Error::io(&path))
}

/// A weight file of an unfinished output, checked against its plan.
fn reopen_file(folder: &Path, layout: &Layout) -> Result<File> {
    let path = folder.join(&layout.file);
    let open = || {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let size = file.metadata()?.len();
        let mut header = vec![0; layout.header.len().min(size as usize)];
        file.read_exact_at(&mut header, 0)?;
        Ok((file, size, header))
    };
    let (file, size, header) = open().map_err(Error::io(&path))?;
    if size != layout.size() || header != layout.header {
        let problem = format!(
            "{size} bytes found, {} and another header expected: it was not begun from this model; \
             start over with --force",
            layout.size()
        );
        return Err(Error::malformed(path, problem));
    }
    Ok(file)
}
