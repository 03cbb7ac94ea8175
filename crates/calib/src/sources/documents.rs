//! What every source of documents does alike: read, filter, pack, write down where the sequences come
//! from.

use std::{collections::BTreeMap, path::PathBuf};

use data::{Document, Skipped};
use lm::scoring::Score;
use lm::{Observer, Tokenizer};
use rayon::prelude::*;

use crate::filters::{Dropped, Look, Panel, Passage};
use crate::packing::Packed;
use crate::recipe::Windows;
use crate::{
    CalibrationSet, Error, Packing, Provenance, Recipe, Result, Workspace, chat::Template,
    pool::Pool, scores::scores,
};

/// Documents that are judged at once.
const BATCH: usize = 256;

/// Texts of every filter that are kept as examples.
const EXAMPLES: usize = 3;

/// Most sequences that are drawn, as a multiple of those asked for, before too few are good enough.
const MOST: usize = 16;

/// The name of what a reader leaves out.
const UNUSABLE: &str = "unusable";

/// Documents to make calibration data from.
pub(super) struct Collection<'a> {
    /// What is asked for.
    pub(super) recipe: &'a Recipe,
    /// The source's name.
    pub(super) source: &'static str,
    /// How sequences are cut.
    pub(super) packing: Packing,
    /// Where the documents are, in reading order.
    pub(super) paths: Vec<PathBuf>,
    /// How they are read.
    pub(super) reading: data::Options,
}

/// Documents that were read and kept, and what became of the others.
struct Read {
    pool: Pool,
    documents: usize,
    left_out: LeftOut,
}

/// What was left out.
#[derive(Default)]
struct LeftOut {
    counts: BTreeMap<String, usize>,
    examples: Vec<Dropped>,
}

impl<'a> Collection<'a> {
    /// The documents of the file, folder or pattern that `recipe` names, cut by its packing or `usual`.
    ///
    /// # Errors
    /// When the recipe asks for what only a data set of the hub has.
    pub(super) fn of_file(
        source: &'static str,
        recipe: &'a Recipe,
        usual: Packing,
    ) -> Result<Self> {
        recipe.refuse_dataset(source)?;
        let packing = recipe.packing.unwrap_or(usual);
        let (paths, reading) = (vec![recipe.source.clone().into()], recipe.reading());
        Ok(Self { recipe, source, packing, paths, reading })
    }

    /// Reads the documents and cuts sequences from them.
    ///
    /// # Errors
    /// When they cannot be read or do not hold enough, or a setting does not fit.
    pub(super) fn collect(
        self,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<CalibrationSet> {
        self.recipe.refuse_synthesis(self.source)?;
        self.recipe.filters.validate()?;
        let windows = self.recipe.windows(workspace.model.spec())?;
        let tokenizer = &workspace.model.checkpoint().tokenizer;
        let mut read = self.read(tokenizer, observer)?;
        if read.pool.len() == 0 {
            return Err(self.nothing_left(&read));
        }
        let packed = self.draw(&mut read, windows, workspace, observer)?;
        self.describe(packed, read, workspace)
    }

    fn read(&self, tokenizer: &Tokenizer, observer: &dyn Observer) -> Result<Read> {
        let mut panel = Panel::new(&self.recipe.filters, &[Look::Text, Look::Tokens])?;
        let mut read = Read { pool: Pool::new(), documents: 0, left_out: LeftOut::default() };
        let most = self.recipe.most_documents()?;
        observer.started("reading documents", 0);
        for path in &self.paths {
            let mut documents = data::open(path, &self.reading)?;
            loop {
                observer.check()?;
                let room = BATCH.min(most - read.documents);
                let mut batch = documents.by_ref().take(room).collect::<data::Result<Vec<_>>>()?;
                if batch.is_empty() {
                    break;
                }
                keep(&mut batch, tokenizer, &mut panel, &mut read)?;
                observer.advanced(batch.len() as u64);
            }
            read.left_out.unusable(documents.skipped());
        }
        observer.finished();
        Ok(read)
    }

    /// Draws sequences, and more of them where filters drop some.
    fn draw(
        &self,
        read: &mut Read,
        windows: Windows,
        workspace: &Workspace<'_>,
        observer: &dyn Observer,
    ) -> Result<Packed> {
        let tokenizer = &workspace.model.checkpoint().tokenizer;
        let from = (&read.pool, self.recipe.source.as_str());
        let mut panel = Panel::new(&self.recipe.filters, &[Look::Score])?;
        if !panel.looks_at(Look::Score) {
            return self.packing.pack(from, tokenizer, windows, observer);
        }
        let share = self.recipe.filters.dropped();
        let mut samples = (windows.samples as f64 / (1.0 - share)).ceil() as usize;
        let mut known: Vec<Score> = Vec::new();
        loop {
            let more = Windows { samples, ..windows };
            let mut packed = self.packing.pack(from, tokenizer, more, observer)?;
            let new: Vec<&[u32]> = packed.sequences[known.len()..].iter().map(|s| &s[..]).collect();
            known.extend(scores(workspace.model, &new, workspace.memory, observer)?);
            let (kept, dropped) = judge(&packed.sequences, &known, tokenizer, &mut panel)?;
            if kept.len() >= windows.samples {
                read.left_out.extend(dropped);
                packed.choose(&kept[..windows.samples]);
                return Ok(packed);
            }
            if samples >= MOST * windows.samples {
                return Err(too_few_good(samples, kept.len(), windows.samples, &dropped));
            }
            samples *= 2;
        }
    }

    fn nothing_left(&self, read: &Read) -> Error {
        let reasons = read.left_out.counts.iter().map(|(name, count)| format!("{count} by {name}"));
        let example = read.left_out.examples.first();
        let example = example.map_or(String::new(), |one| format!("; for example {}", one.reason));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        let problem = format!("none of {} documents is left ({reasons}{example})", read.documents);
        Error::Filtered { from: self.recipe.source.clone(), problem }
    }

    fn describe(
        self,
        packed: Packed,
        read: Read,
        workspace: &Workspace<'_>,
    ) -> Result<CalibrationSet> {
        let provenance = Provenance {
            packing: self.packing,
            separator: self.packing.separator(),
            special_tokens: self.packing.special_tokens().into(),
            text_digest: Some(read.pool.digest()),
            documents: read.documents,
            dropped: read.left_out.counts,
            dropped_texts: read.left_out.examples,
            notes: packed.notes,
            origins: packed.origins,
            ..Provenance::of(self.source, self.recipe, workspace.model)
        };
        CalibrationSet::new(packed.sequences, provenance)
    }
}

/// Adds those documents of a batch that the judges keep.
fn keep(
    batch: &mut [Document],
    tokenizer: &Tokenizer,
    panel: &mut Panel<'_>,
    read: &mut Read,
) -> Result<()> {
    read.documents += batch.len();
    if batch.iter().any(|document| document.messages.is_some()) {
        let template = Template::of(tokenizer)?;
        for document in batch.iter_mut() {
            if let Some(messages) = &document.messages {
                document.text = template.render(messages, false)?;
            }
        }
    }
    let encode = |document: &Document| tokenizer.encode(&document.text, false);
    let tokens = match panel.looks_at(Look::Tokens) {
        true => batch.par_iter().map(encode).collect::<lm::Result<Vec<_>>>()?,
        false => vec![Vec::new(); batch.len()],
    };
    let passages = batch.iter().zip(&tokens).map(|(document, tokens)| Passage {
        number: document.index as u64,
        text: &document.text,
        tokens,
        written: None,
        score: None,
    });
    let (kept, dropped) = panel.judge(&passages.collect::<Vec<_>>());
    read.left_out.extend(dropped);
    kept.into_iter().try_for_each(|index| read.pool.push(&batch[index]))
}

/// What the judges of probabilities say of sequences.
fn judge(
    sequences: &[Vec<u32>],
    scores: &[Score],
    tokenizer: &Tokenizer,
    panel: &mut Panel<'_>,
) -> Result<(Vec<usize>, Vec<Dropped>)> {
    panel.reset();
    let texts = sequences.par_iter().map(|sequence| tokenizer.decode(sequence, true));
    let texts = texts.collect::<lm::Result<Vec<String>>>()?;
    let passages =
        sequences.iter().zip(scores).enumerate().map(|(index, (sequence, score))| Passage {
            number: index as u64,
            text: &texts[index],
            tokens: sequence,
            written: None,
            score: Some(*score),
        });
    Ok(panel.judge(&passages.collect::<Vec<_>>()))
}

fn too_few_good(drawn: usize, kept: usize, needed: usize, dropped: &[Dropped]) -> Error {
    let example = dropped.first().map_or("", |one| &one.reason);
    Error::setting(
        "perplexity",
        format!(
            "{kept} of {drawn} sequences are kept, {needed} are needed; for example {example}; choose \
             a wider band"
        ),
    )
}

impl LeftOut {
    fn extend(&mut self, dropped: Vec<Dropped>) {
        for one in dropped {
            let count = self.counts.entry(one.filter.clone()).or_insert(0);
            *count += 1;
            if *count <= EXAMPLES {
                self.examples.push(one);
            }
        }
    }

    /// Records that the reader left out; their numbers are not known.
    fn unusable(&mut self, skipped: &Skipped) {
        if skipped.count == 0 {
            return;
        }
        *self.counts.entry(UNUSABLE.into()).or_insert(0) += skipped.count;
        let example = |(place, reason): (usize, &String)| Dropped {
            text: place as u64,
            filter: UNUSABLE.into(),
            reason: reason.clone(),
            excerpt: String::new(),
        };
        self.examples.extend(skipped.examples.iter().enumerate().map(example));
    }
}
