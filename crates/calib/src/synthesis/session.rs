//! Rounds of writing and filtering until there is enough text.

use std::collections::BTreeMap;

use lm::{Observer, Tokenizer};

use super::windows::{self, cut};
use super::{Author, Journal, Text};
use crate::filters::{Dropped, FilterSettings, Look, Panel, Passage};
use crate::recipe::Windows;
use crate::{Error, Origin, Result};

/// Rounds at most; each writes as much as the texts so far say is missing.
const ROUNDS: usize = 12;

/// How many times as many texts a round may ask for as there are.
const MOST_GROWTH: f64 = 16.0;

/// Texts at most, as a multiple of what would do if every text filled a window.
const MOST: usize = 64;

/// Everything a model's own texts are made with.
pub(crate) struct Session<'a> {
    pub(crate) author: &'a dyn Author,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) filters: &'a FilterSettings,
    pub(crate) windows: Windows,
    pub(crate) observer: &'a dyn Observer,
}

/// Windows of texts that a model wrote.
pub(crate) struct Written {
    /// Token ids, all of one length.
    pub(crate) sequences: Vec<Vec<u32>>,
    /// The texts each is made of.
    pub(crate) origins: Vec<Origin>,
    /// Texts that were written.
    pub(crate) texts: usize,
    /// The texts that were left out, and why.
    pub(crate) dropped: Vec<Dropped>,
}

impl Session<'_> {
    /// Writes texts until those that are kept fill the windows. How many are written depends on the
    /// texts alone, so a run that was interrupted ends with the same windows.
    ///
    /// # Errors
    /// When the author fails, the journal cannot be written, the observer cancels, or the texts are
    /// too short to fill the windows with a sensible number of them.
    pub(crate) fn run(&self, journal: &mut Journal) -> Result<Written> {
        let first = self.first_round();
        let (mut texts, mut round) = (first, 1);
        let mut panel = Panel::new(self.filters, &[Look::Text, Look::Tokens, Look::Score])?;
        loop {
            self.observer.check()?;
            self.announce(journal, texts, round);
            self.write(journal, texts)?;
            self.score(journal, texts)?;
            let (windows, dropped) = self.cut(journal, texts, &mut panel)?;
            if windows.sequences.len() >= self.windows.samples {
                return Ok(self.written(windows, texts, dropped));
            }
            let usable = windows.sequences.len() * self.windows.length + windows.rest;
            let more = self.next_round(texts, usable);
            if round == ROUNDS || more > MOST * first {
                return Err(self.not_enough(texts, usable, &dropped));
            }
            (texts, round) = (more, round + 1);
        }
    }

    /// Texts that do if each fills a window and the least probable share is dropped.
    fn first_round(&self) -> usize {
        (self.windows.samples as f64 / (1.0 - self.filters.dropped())).ceil() as usize
    }

    /// Texts that do if the others are like those so far, and a few more: how much a text gives
    /// differs from text to text, so the more texts say it, the nearer it is to what others give.
    fn next_round(&self, texts: usize, usable: usize) -> usize {
        let needed = self.windows.samples * self.windows.length;
        let margin = 1.0 + (1.0 / (texts as f64).sqrt()).clamp(0.05, 0.25);
        let growth = margin * needed as f64 / usable.max(1) as f64;
        ((texts as f64 * growth.clamp(1.0, MOST_GROWTH)).ceil() as usize).max(texts + 1)
    }

    /// Says what is about to be spent, before it is.
    fn announce(&self, journal: &Journal, texts: usize, round: usize) {
        let missing = (0..texts as u64).filter(|stream| journal.text(*stream).is_none()).count();
        if round == 1 && journal.len() > 0 {
            let kept = journal.len();
            self.observer.note(&format!("{kept} texts of an earlier run are used again"));
        }
        if missing == 0 {
            return;
        }
        let length = self.windows.length;
        let note = match journal.mean_length() {
            None => format!(
                "{}: {missing} texts of up to {length} tokens, at most {}",
                self.author.who(),
                self.author.cost(missing * length)
            ),
            Some(mean) => format!(
                "the texts have {mean} tokens on average, so {missing} more are written: about {}",
                self.author.cost(missing * mean)
            ),
        };
        self.observer.note(&note);
    }

    /// Writes those of the first `texts` texts that are missing.
    fn write(&self, journal: &mut Journal, texts: usize) -> Result<()> {
        let missing = |stream: &u64| journal.text(*stream).is_none();
        let streams: Vec<u64> = (0..texts as u64).filter(missing).collect();
        if streams.is_empty() {
            return Ok(());
        }
        let mut keep = |text: Text| self.keep(journal, text);
        let written = self.author.write(&streams, &mut keep, self.observer);
        journal.sync()?;
        written
    }

    /// Scores those of the first `texts` texts that were not scored as they were written.
    fn score(&self, journal: &mut Journal, texts: usize) -> Result<()> {
        let all = (0..texts as u64).filter_map(|stream| journal.text(stream));
        let unscored: Vec<&Text> = all.filter(|text| !text.is_scored()).collect();
        if unscored.is_empty() {
            return Ok(());
        }
        let scores = self.author.scores(&unscored, self.observer)?;
        let scored = unscored.into_iter().zip(scores);
        let scored: Vec<Text> =
            scored.map(|(text, score)| Text { score, ..text.clone() }).collect();
        scored.into_iter().try_for_each(|text| self.keep(journal, text))?;
        journal.sync()
    }

    fn keep(&self, journal: &mut Journal, text: Text) -> Result<()> {
        let readable = self.tokenizer.decode(&text.tokens, true)?;
        journal.add_text(text, readable)
    }

    /// Filters the first `texts` texts and cuts what is kept.
    fn cut(
        &self,
        journal: &Journal,
        texts: usize,
        panel: &mut Panel<'_>,
    ) -> Result<(windows::Windows, Vec<Dropped>)> {
        let all: Vec<&Text> = (0..texts as u64).filter_map(|stream| journal.text(stream)).collect();
        let readable = all.iter().map(|text| self.tokenizer.decode(text.body(), true));
        let readable = readable.collect::<lm::Result<Vec<String>>>()?;
        let passages: Vec<_> =
            all.iter().zip(&readable).map(|(text, readable)| passage(text, readable)).collect();
        panel.reset();
        let (kept, dropped) = panel.judge(&passages);
        let kept: Vec<&Text> = kept.into_iter().map(|index| all[index]).collect();
        let end = self.tokenizer.eos.first().copied();
        Ok((cut(&kept, self.windows.length, end), dropped))
    }

    fn written(&self, windows: windows::Windows, texts: usize, dropped: Vec<Dropped>) -> Written {
        let windows::Windows { mut sequences, mut origins, .. } = windows;
        sequences.truncate(self.windows.samples);
        origins.truncate(self.windows.samples);
        Written { sequences, origins, texts, dropped }
    }

    fn not_enough(&self, texts: usize, usable: usize, dropped: &[Dropped]) -> Error {
        let needed = self.windows.samples * self.windows.length;
        let reasons = counts(dropped).into_iter().map(|(name, count)| format!("{count} {name}"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        Error::Synthesis {
            problem: format!(
                "{texts} texts gave {usable} usable tokens, {needed} are needed (dropped: \
                 {reasons}); give prefixes of real text (prefix_file), a higher temperature, or a \
                 text file as the source"
            ),
        }
    }
}

pub(super) fn passage<'a>(text: &'a Text, readable: &'a str) -> Passage<'a> {
    Passage {
        number: text.stream,
        text: readable,
        tokens: text.body(),
        written: Some(text.written()),
        score: Some(text.score),
    }
}

/// How many texts each filter dropped.
pub(crate) fn counts(dropped: &[Dropped]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in dropped {
        *counts.entry(one.filter.clone()).or_insert(0) += 1;
    }
    counts
}
