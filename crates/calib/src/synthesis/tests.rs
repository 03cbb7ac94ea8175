//! Writing in rounds, tested with authors that are no models.

use std::cell::{Cell, RefCell};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use compute::Stream;
use lm::scoring::Score;
use lm::{Observer, Silent, Tokenizer};
use proptest::prelude::*;

use super::session::passage;
use super::windows::cut;
use super::{Author, Journal, Session, Text, Written};
use crate::filters::{FilterSettings, Look, Panel};
use crate::recipe::Windows;
use crate::{Error, Origin, Result};

const END: u32 = testkit::EOS;

/// Writes random texts of random lengths; stops after some where it is told to.
struct Fake {
    /// Shortest and longest body.
    lengths: (u64, u64),
    /// Texts it writes before it is interrupted.
    patience: Cell<usize>,
    /// The numbers of the texts it wrote.
    wrote: RefCell<Vec<u64>>,
}

impl Fake {
    fn new(shortest: u64, longest: u64) -> Self {
        Self {
            lengths: (shortest, longest),
            patience: Cell::new(usize::MAX),
            wrote: RefCell::new(Vec::new()),
        }
    }
}

impl Author for Fake {
    fn write(
        &self,
        streams: &[u64],
        sink: &mut dyn FnMut(Text) -> Result<()>,
        _observer: &dyn Observer,
    ) -> Result<()> {
        // Texts are finished in an order of their own.
        for &stream in streams.iter().rev() {
            if self.patience.get() == 0 {
                return Err(Error::Model(lm::Error::Cancelled));
            }
            self.patience.set(self.patience.get() - 1);
            self.wrote.borrow_mut().push(stream);
            let random = Stream::new(7, stream);
            let (shortest, longest) = self.lengths;
            let length = shortest + random.below(0, longest - shortest + 1);
            let body = (1..=length).map(|place| random.below(place, 256) as u32);
            let tokens = [testkit::BOS].into_iter().chain(body).chain([END]).collect();
            let score = Score { sum: -random.uniform(99) * 100.0, tokens: length as usize + 1 };
            sink(Text { stream, lead: 1, prefix: 0, ended: true, tokens, score })?;
        }
        Ok(())
    }

    fn scores(&self, texts: &[&Text], _observer: &dyn Observer) -> Result<Vec<Score>> {
        Ok(texts.iter().map(|text| Score { sum: -1.0, tokens: text.written() }).collect())
    }

    fn who(&self) -> String {
        "the model writes its own calibration data".into()
    }

    fn cost(&self, tokens: usize) -> String {
        format!("{tokens} tokens")
    }
}

fn tokenizer() -> Tokenizer {
    let json = testkit::tokenizer_json(272).to_string();
    Tokenizer::from_json(json.as_bytes(), Some(testkit::BOS), vec![END]).unwrap()
}

fn run(author: &Fake, samples: usize, journal: &mut Journal) -> Result<Written> {
    run_watched(author, samples, journal, &Silent)
}

fn run_watched(
    author: &Fake,
    samples: usize,
    journal: &mut Journal,
    observer: &dyn Observer,
) -> Result<Written> {
    let filters = FilterSettings::default().for_own();
    let windows = Windows { samples, length: 32, seed: 0 };
    let tokenizer = tokenizer();
    let session = Session { author, tokenizer: &tokenizer, filters: &filters, windows, observer };
    session.run(journal)
}

fn open(path: &Path) -> Result<Journal> {
    Journal::open(path, "identity", 272)
}

#[test]
fn an_interrupted_run_ends_like_one_that_was_not_and_writes_nothing_twice() {
    let folder = tempfile::TempDir::new().unwrap();
    let whole = Fake::new(3, 30);
    let expected = run(&whole, 12, &mut Journal::in_memory()).unwrap();
    assert!(expected.texts > 15, "several rounds");
    let path = folder.path().join("texts.jsonl");
    let author = Fake::new(3, 30);
    let mut interruptions = 0;
    let found = loop {
        author.patience.set(4);
        match run(&author, 12, &mut open(&path).unwrap()) {
            Ok(written) => break written,
            Err(Error::Model(lm::Error::Cancelled)) => interruptions += 1,
            Err(error) => panic!("{error}"),
        }
        // What was being written when the program was killed.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"text\":{\"text\":{\"stream\":3,\"le").unwrap();
    };
    assert!(interruptions > 3);
    assert_eq!((&found.sequences, &found.origins), (&expected.sequences, &expected.origins));
    assert_eq!(found.dropped, expected.dropped);
    let mut wrote = author.wrote.into_inner();
    wrote.sort_unstable();
    assert_eq!(wrote, (0..expected.texts as u64).collect::<Vec<_>>());
}

#[test]
fn a_larger_set_uses_the_texts_of_a_smaller_one() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("texts.jsonl");
    let author = Fake::new(32, 32);
    run(&author, 8, &mut open(&path).unwrap()).unwrap();
    assert_eq!(author.wrote.borrow().len(), 10);
    let found = run(&author, 16, &mut open(&path).unwrap()).unwrap();
    assert_eq!(author.wrote.borrow().len(), 20);
    let expected = run(&Fake::new(32, 32), 16, &mut Journal::in_memory()).unwrap();
    assert_eq!(found.sequences, expected.sequences);
}

/// Keeps notes.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<String>>);

impl Observer for Notes {
    fn note(&self, note: &str) {
        self.0.lock().unwrap().push(note.into());
    }
}

#[test]
fn texts_that_end_early_are_announced_by_their_length_and_made_up_for_in_one_round() {
    let notes = Notes::default();
    let author = Fake::new(1, 7);
    let written = run_watched(&author, 64, &mut Journal::in_memory(), &notes).unwrap();
    let notes = notes.0.into_inner().unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("80 texts of up to 32 tokens, at most 2560 tokens"), "{notes:?}");
    assert!(notes[1].starts_with("the texts have "), "{notes:?}");
    let told = notes[1].split("about ").nth(1).unwrap();
    let told: usize = told.split(' ').next().unwrap().parse().unwrap();
    assert!(told < 4 * 64 * 32, "{told} tokens are announced for {} texts", written.texts);
    // no more than was needed, by much
    let tokens = written.texts * 4;
    assert!(tokens < 64 * 32 * 2, "{tokens}");
}

#[test]
fn a_model_that_writes_next_to_nothing_is_given_up() {
    let found = run(&Fake::new(0, 0), 4, &mut Journal::in_memory()).err().unwrap().to_string();
    assert!(found.contains("gave 0 usable tokens, 128 are needed (dropped: "), "{found}");
    assert!(found.contains(" empty)") && found.contains("prefix_file"), "{found}");
}

#[test]
fn broken_journals_are_refused_by_line() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("texts.jsonl");
    run(&Fake::new(9, 40), 4, &mut open(&path).unwrap()).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    open(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), good);
    let (first, rest) = good.split_once('\n').unwrap();
    let text = rest.lines().next().unwrap();
    for (content, problem) in [
        ("{}\n".to_owned(), "line 1: "),
        (format!("{text}\n"), "line 1: a text out of place"),
        (format!("{first}\n{first}\n"), "line 2: texts of another recipe"),
        (first.replace("identity\":\"id", "identity\":\"an id") + "\n", "line 1: texts of another"),
        (format!("{first}\n{}\n", text.replace(":[256,", ":[272,")), "line 2: a text out of place"),
        (format!("{first}\n{}\n", text.replace("\"lead\":1", "\"lead\":99")), "line 2: a text"),
        (format!("{first}\nnonsense\n{text}\n"), "line 2: expected"),
        (format!("{first}\n{}\n", text.replace("\"sum\":", "\"total\":")), "line 2: missing field"),
    ] {
        fs::write(&path, content).unwrap();
        let found = open(&path).err().unwrap().to_string();
        assert!(found.contains(problem) && found.contains("delete the file"), "{problem}: {found}");
    }
}

#[test]
fn a_journal_in_use_is_not_shared() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("texts.jsonl");
    let held = open(&path).unwrap();
    assert!(matches!(open(&path), Err(Error::Busy { .. })));
    drop(held);
    open(&path).unwrap();
}

/// A text of `body` tokens that end after `prefix` given ones.
fn text(stream: u64, body: Vec<u32>) -> Text {
    let tokens: Vec<u32> = [256].into_iter().chain(body).chain([END]).collect();
    let score = Score { sum: -1.0, tokens: tokens.len() - 1 };
    Text { stream, lead: 1, prefix: 0, ended: true, tokens, score }
}

#[test]
fn filters_drop_the_empty_the_looping_and_the_improbable_in_this_order() {
    let mut texts: Vec<Text> =
        (0..10).map(|s| text(s, (0..40).map(|t| t + s as u32).collect())).collect();
    texts.push(text(10, vec![]));
    texts.push(text(11, vec![5; 60]));
    let losses = [3.0, 1.0, 2.0, 9.0, 1.5, 2.5, 8.0, 1.0, 1.0, 1.0, 0.1, 0.2];
    for (text, loss) in texts.iter_mut().zip(losses) {
        text.score.sum = -loss * text.score.tokens as f64;
    }
    let filters = FilterSettings::default().for_own();
    let mut panel = Panel::new(&filters, &[Look::Text, Look::Tokens, Look::Score]).unwrap();
    let (kept, dropped) =
        panel.judge(&texts.iter().map(|text| passage(text, "x")).collect::<Vec<_>>());
    let kept: Vec<u64> = kept.into_iter().map(|index| index as u64).collect();
    assert_eq!(kept, [0, 1, 2, 4, 5, 7, 8, 9]);
    let reasons: Vec<_> =
        dropped.iter().map(|one| (one.text, one.filter.as_str(), one.reason.as_str())).collect();
    assert_eq!(reasons[0], (10, "empty", "the model wrote nothing"));
    assert_eq!((reasons[1].0, reasons[1].1), (11, "repetition"));
    assert_eq!((reasons[2].0, reasons[2].1), (3, "perplexity"));
    assert_eq!(reasons[3], (6, "perplexity", "perplexity 2980.96, number 2 from the top of 10"));
}

proptest! {
    #[test]
    fn windows_hold_every_token_of_the_texts_in_order(
        lengths in prop::collection::vec(0usize..70, 0..20), length in 2usize..40, with_end: bool,
    ) {
        let body = |stream: usize, count: usize| {
            (0..count).map(|place| (stream * 1000 + place) as u32).collect()
        };
        let texts: Vec<Text> = lengths.iter().enumerate()
            .map(|(stream, &count)| text(stream as u64, body(stream, count))).collect();
        let end = with_end.then_some(u32::MAX);
        let windows = cut(&texts.iter().collect::<Vec<_>>(), length, end);
        prop_assert_eq!(windows.sequences.len(), windows.origins.len());
        let mut used = vec![0; texts.len()];
        for (sequence, origin) in windows.sequences.iter().zip(&windows.origins) {
            prop_assert_eq!(sequence.len(), length);
            let Origin::Generated { pieces } = origin else { panic!("generated") };
            let tokens: Vec<u32> = sequence.iter().copied().filter(|t| *t != u32::MAX).collect();
            let named = pieces.iter().flat_map(|piece| {
                used[piece.text as usize] += piece.tokens;
                texts[piece.text as usize].body()[piece.offset..piece.offset + piece.tokens].to_vec()
            });
            prop_assert_eq!(named.collect::<Vec<_>>(), tokens);
        }
        let whole: usize = lengths.iter().sum();
        let used: usize = used.iter().sum();
        prop_assert!(used <= whole && used + windows.rest >= whole);
        prop_assert!(windows.rest < length);
        // A text that fills windows exactly shares them with nothing.
        let alone = |origin: &&Origin| matches!(origin, Origin::Generated { pieces } if
            pieces.len() == 1 && pieces[0].tokens == length);
        let full: usize = lengths.iter().map(|count| count / length).sum();
        prop_assert!(windows.origins.iter().filter(alone).count() >= full);
    }
}
