//! Perplexity against the definition, on a tiny random model.
#![allow(clippy::unwrap_used)] // helpers of tests are not test functions

use compute::Precision;
use eval::{Error, Protocol, perplexity};
use lm::scoring::Options;
use lm::{Batch, Checkpoint, Model, Silent};
use tempfile::TempDir;
use testkit::{TinyOptions, tiny_llama};

const WINDOW: usize = 24;

fn tiny() -> (TempDir, Model) {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama(folder.path(), &TinyOptions::default());
    let model = Model::new(Checkpoint::open(folder.path()).unwrap(), Precision::F32).unwrap();
    (folder, model)
}

fn text() -> String {
    "The grey heron stands in the shallows, and the river goes around it. ".repeat(3)
}

/// The mean loss of one window after another, from logits and the definition, in f64.
fn naive(model: &Model, tokens: &[u32]) -> f64 {
    let head = model.head().unwrap();
    let mut losses = Vec::new();
    for window in tokens.chunks_exact(WINDOW) {
        let mut residual = model.embed(window).unwrap();
        for index in 0..model.spec().blocks.len() {
            let block = model.block(index).unwrap();
            residual = block.run(residual, &mut Batch::fresh(&[WINDOW]));
        }
        let logits = head.logits(residual.view());
        for (position, target) in window.iter().enumerate().skip(1) {
            let row = logits.row(position - 1);
            let total: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
            losses.push(total.ln() - f64::from(row[*target as usize]));
        }
    }
    losses.iter().sum::<f64>() / losses.len() as f64
}

#[test]
fn it_is_the_exponential_of_the_mean_loss_over_full_windows() {
    let (_folder, model) = tiny();
    let tokens = model.checkpoint().tokenizer.encode(&text(), true).unwrap();
    let measured = perplexity(&model, &text(), WINDOW, &Options::default(), &Silent).unwrap();
    let windows = tokens.len() / WINDOW;
    assert!(windows > 2 && !tokens.len().is_multiple_of(WINDOW), "the text has a tail");
    assert_eq!((measured.windows, measured.text_tokens), (windows, tokens.len()));
    assert_eq!(measured.scored_tokens, windows * (WINDOW - 1));
    let expected = naive(&model, &tokens);
    assert!((measured.mean_loss - expected).abs() < 1e-5, "{} {expected}", measured.mean_loss);
    assert!((measured.perplexity - expected.exp()).abs() < 1e-4 * expected.exp());
}

#[test]
fn block_by_block_gives_the_same_figure() {
    let (_folder, model) = tiny();
    let streamed = Options { streamed: true, ..Options::default() };
    let whole = perplexity(&model, &text(), WINDOW, &Options::default(), &Silent).unwrap();
    assert_eq!(perplexity(&model, &text(), WINDOW, &streamed, &Silent).unwrap(), whole);
}

#[test]
fn it_says_whether_the_tokenizer_put_a_beginning_before_the_text() {
    let (_folder, model) = tiny();
    let tokenizer = &model.checkpoint().tokenizer;
    let first = tokenizer.encode(&text(), true).unwrap()[0];
    let measured = perplexity(&model, &text(), WINDOW, &Options::default(), &Silent).unwrap();
    assert_eq!(measured.bos, tokenizer.bos == Some(first));
}

#[test]
fn windows_and_texts_that_cannot_be_measured_are_refused() {
    let (_folder, model) = tiny();
    let measure = |text: &str, window| {
        perplexity(&model, text, window, &Options::default(), &Silent).unwrap_err()
    };
    for window in [0, 1, model.spec().context + 1] {
        let error = measure(&text(), window);
        assert!(matches!(error, Error::Window { .. }) && error.is_bad_input(), "{error}");
    }
    let error = measure("short", WINDOW);
    assert!(matches!(error, Error::TooShort { window: WINDOW, .. }), "{error}");
    assert!(matches!(measure("", WINDOW), Error::TooShort { .. }));
}

/// Log-probabilities of every token of `[BOS, tokens]` but the first, whole.
fn whole(model: &Model, text: &str) -> Vec<f64> {
    let tokens = model.checkpoint().tokenizer.encode(text, true).unwrap();
    let tokens = [vec![testkit::BOS], tokens].concat();
    let options = Options::default();
    let found = lm::scoring::token_log_probabilities(model, &[&tokens], &options, &Silent);
    found.unwrap().remove(0)
}

#[test]
fn rolling_scores_every_token_of_every_document_once() {
    let (_folder, model) = tiny();
    let documents = ["The grey heron stands.".to_owned(), "And the river ".to_owned()];
    let measure = |window| {
        let protocol = Protocol::Rolling;
        protocol.measure(&model, &documents, window, &Options::default(), &Silent).unwrap()
    };
    // windows that hold a document each: the definition
    let each: Vec<Vec<f64>> = documents.iter().map(|text| whole(&model, text)).collect();
    let found = measure(64);
    let sum: f64 = each.iter().flatten().sum();
    let count = each.iter().map(Vec::len).sum::<usize>();
    assert_eq!((found.windows, found.scored_tokens), (2, count));
    assert!((found.mean_loss + sum / count as f64).abs() < 1e-9);
    let per_document = each.iter().map(|d| (-d.iter().sum::<f64>() / d.len() as f64).exp());
    let figures = found.documents.unwrap();
    assert!((figures.mean_perplexity - per_document.sum::<f64>() / 2.0).abs() < 1e-6);
    assert_eq!((figures.words, figures.bytes), (4 + 4, 36));
    assert!((figures.word_perplexity.ln() + sum / 8.0).abs() < 1e-9);
    // shorter windows score as many tokens with less before them
    let short = measure(8);
    assert!(short.windows > 2);
    assert_eq!(short.scored_tokens, count);
}

#[test]
fn strides_of_a_whole_window_score_what_the_standard_protocol_scores() {
    let (_folder, model) = tiny();
    let tokens = model.checkpoint().tokenizer.encode(&text(), true).unwrap();
    let documents = [text()];
    let measure = |protocol: Protocol| {
        protocol.measure(&model, &documents, WINDOW, &Options::default(), &Silent).unwrap()
    };
    let standard = measure(Protocol::Windows);
    let side_by_side = measure(Protocol::Strided { stride: WINDOW });
    let tail = tokens.len() % WINDOW - 1;
    assert_eq!(side_by_side.scored_tokens, standard.scored_tokens + tail);
    let strided = measure(Protocol::Strided { stride: WINDOW / 2 });
    assert_eq!(strided.scored_tokens, tokens.len() - 1);
    assert!(strided.mean_loss != standard.mean_loss);
    let wrong = Protocol::Strided { stride: WINDOW + 1 };
    let error = wrong.check(&model, &documents, WINDOW).unwrap_err();
    assert!(matches!(error, Error::Stride { .. }) && error.is_bad_input(), "{error}");
}
