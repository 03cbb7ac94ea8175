//! Models and data sets of a hub such as huggingface.co: found in, or downloaded into, the hub's own
//! cache.
//!
//! The layout of the cache is the one that `huggingface_hub` and `transformers` use
//! (<https://huggingface.co/docs/huggingface_hub/guides/manage-cache>), locks included, so that
//! either tool reuses what the other downloaded. A file is named only after its size and its hash
//! were found to be those that the server promised; a download that was cut off goes on where it
//! stopped. What lies in the cache is checked by size and not hashed again.

mod cache;
mod client;
mod dataset;
mod digest;
mod download;
mod id;
mod listing;
mod options;
mod refusal;
mod space;

use std::path::PathBuf;

use self::{
    cache::{Cache, Cached},
    client::{Client, Remote},
    listing::{Entry, INDEX, Listing, Refusal},
};
use crate::{Error, Observer, Result};

pub use self::{
    dataset::{Choice, files},
    id::{DatasetId, ModelId, is_hub_id},
    options::HubOptions,
};

/// The folder that holds the model's configuration, tokenizer and safetensors, downloaded where
/// the cache does not hold them yet. Progress is reported in bytes.
///
/// Without network, a whole snapshot in the cache is used and noted.
///
/// # Errors
/// [`Error::Hub`] when the model cannot be had as asked for: unknown, gated, without safetensors,
/// or not in the cache while offline. [`Error::Network`] when the server cannot be reached or
/// breaks its promises. [`Error::Io`] when the cache cannot be written, [`Error::Cancelled`].
pub fn resolve(id: &ModelId, options: &HubOptions, observer: &dyn Observer) -> Result<PathBuf> {
    let cache = Cache::new(&options.cache, id);
    let cached = cache.look_up(id.revision());
    if options.offline {
        return from_cache(id, options, cached, observer);
    }
    let client = Client::new(options, id, observer);
    // With a copy at hand nobody should wait for a network that is not there.
    let retries = if matches!(cached, Cached::Whole(_)) { 0 } else { options.retries };
    match (client.listing(retries), cached) {
        (Ok(listing), _) => Fetch { client, cache, listing }.run(),
        (Err(error @ Error::Network { .. }), Cached::Whole(snapshot)) => {
            observer.note(&format!("{error}"));
            observer.note(&format!("using the copy of {id} in {}", snapshot.display()));
            Ok(snapshot)
        }
        (Err(Error::Hub { model, problem, hint }), Cached::Whole(_)) => {
            let hint = format!("{hint}; or use the copy in the cache with --offline");
            Err(Error::Hub { model, problem, hint })
        }
        (Err(error), _) => Err(error),
    }
}

/// The snapshot in the cache, or what it lacks.
fn from_cache(
    id: &ModelId,
    options: &HubOptions,
    cached: Cached,
    observer: &dyn Observer,
) -> Result<PathBuf> {
    let problem = match cached {
        Cached::Whole(snapshot) => {
            if !["tokenizer.json", "tokenizer.model"]
                .iter()
                .any(|name| snapshot.join(name).is_file())
            {
                let place = snapshot.display();
                observer.note(&format!("{place} holds no tokenizer; run once online to fetch it"));
            }
            return Ok(snapshot);
        }
        Cached::Partial { snapshot, missing } => format!(
            "offline, and the copy in {} is not whole: missing {}",
            snapshot.display(),
            missing.join(", ")
        ),
        Cached::Absent => format!(
            "offline, and {} holds no copy of revision {}",
            options.cache.display(),
            id.revision()
        ),
    };
    Err(Error::Hub {
        model: id.name().to_owned(),
        problem,
        hint: "run it once with network (without --offline and HF_HUB_OFFLINE), or pass a folder \
               or a .gguf file"
            .to_owned(),
    })
}

/// A model on its way into the cache.
struct Fetch<'a> {
    client: Client<'a>,
    cache: Cache,
    listing: Listing,
}

impl Fetch<'_> {
    fn run(self) -> Result<PathBuf> {
        let commit = &self.listing.commit;
        let snapshot = self.cache.snapshot(commit);
        self.listing.check().map_err(|why| self.refuse(why))?;
        let shards = match self.listing.entry(INDEX) {
            Some(index) => {
                self.fetch(std::slice::from_ref(index))?;
                Some(cache::shards(&snapshot.join(INDEX))?)
            }
            None => None,
        };
        let needed = self.listing.needed(shards.as_deref()).map_err(|why| self.refuse(why))?;
        self.fetch(&needed)?;
        self.note_revision();
        Ok(snapshot)
    }

    /// Notes which commit the revision stands at.
    fn note_revision(&self) {
        let written = self.cache.write_ref(self.client.id.revision(), &self.listing.commit);
        if let Err(error) = written {
            // Only a later run offline would need it, and the cache may be read-only on purpose.
            self.client.observer.note(&format!("the revision could not be noted: {error}"));
        }
    }

    fn refuse(&self, why: Refusal) -> Error {
        let model = self.client.id.to_string();
        Error::Hub { model, problem: why.problem, hint: why.hint.to_owned() }
    }

    /// Brings the files that the snapshot does not hold yet.
    fn fetch(&self, entries: &[Entry]) -> Result<()> {
        let commit = &self.listing.commit;
        let mut absent = Vec::new();
        for entry in entries.iter().filter(|e| !self.cache.holds(commit, &e.name, e.size)) {
            absent.push((entry, self.client.head(commit, entry)?));
        }
        if absent.is_empty() {
            return Ok(());
        }
        let blob = |remote: &Remote| self.cache.blob(&remote.etag);
        let to_come = absent.iter().filter(|(_, r)| !cache::holds(&blob(r), Some(r.size)));
        let total = to_come.clone().map(|(_, remote)| remote.size).sum();
        let here = to_come.map(|(_, remote)| space::size(&download::incomplete(&blob(remote))));
        space::check(&self.cache, total - here.sum::<u64>().min(total))?;
        self.client.observer.started(&format!("downloading {}", self.client.id), total);
        let done = absent.iter().try_for_each(|(entry, remote)| self.file(entry, remote));
        self.client.observer.finished();
        done
    }

    /// Brings one file, unless another process did so in the meantime.
    fn file(&self, entry: &Entry, remote: &Remote) -> Result<()> {
        let (commit, name, etag) = (&self.listing.commit, &entry.name, &remote.etag);
        let _lock = self.cache.lock(etag, self.client.observer)?;
        let blob = self.cache.blob(etag);
        let fresh = !cache::holds(&blob, Some(remote.size));
        if fresh {
            if !etag.is_hash() {
                let note = format!("{name}: the server gives no hash, only the size is checked");
                self.client.observer.note(&note);
            }
            let url = self.client.file_url(commit, name);
            download::download(&self.client, &url, remote, &blob)?;
        }
        self.cache.place(commit, name, etag, fresh, cache::symbolic_link)
    }
}
