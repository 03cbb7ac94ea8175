//! The model in the box: a small Llama, trained on public-domain English novels, that is part of
//! the program.
//!
//! It lets every command be tried, and every test run a model that has learnt something, with no
//! network and no file. How it was trained, on what, and how good it is: `tools/demo-model/README.md`.

use lm::{Checkpoint, Result};

/// What users call it where a model is asked for.
pub const NAME: &str = "demo";

/// Its Hugging Face folder: name and bytes of every file.
const FILES: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../model/config.json")),
    ("generation_config.json", include_bytes!("../model/generation_config.json")),
    ("model.safetensors", include_bytes!("../model/model.safetensors")),
    ("tokenizer.json", include_bytes!("../model/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../model/tokenizer_config.json")),
];

/// Opens it: 6 blocks, hidden size 128, vocabulary 1536, context 512, bf16 weights.
///
/// # Errors
/// None with the files it was built with; the reader of checkpoints does not know that.
pub fn checkpoint() -> Result<Checkpoint> {
    Checkpoint::embedded("the model in the box", FILES)
}

#[cfg(test)]
mod tests {
    use compute::Precision;
    use lm::{Model, Silent, scoring};

    use super::*;

    /// Not a sentence of any novel it was trained on.
    const SENTENCE: &str = "The old man looked at the letter for a long time, and then he said \
                            that he would not go back to the house until the morning.";

    #[test]
    fn it_is_small() {
        let bytes: usize = FILES.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes <= 6_000_000, "{bytes}");
    }

    #[test]
    fn it_has_learnt_english() {
        let model = Model::new(checkpoint().unwrap(), Precision::F32).unwrap();
        let perplexity = |text: &str| {
            let tokens = model.checkpoint().tokenizer.encode(text, true).unwrap();
            let options = scoring::Options::default();
            scoring::log_likelihoods(&model, &[&tokens], &options, &Silent).unwrap()[0].perplexity()
        };
        let backwards: String = SENTENCE.split(' ').rev().collect::<Vec<_>>().join(" ");
        let (english, scrambled) = (perplexity(SENTENCE), perplexity(&backwards));
        assert!(english < 40.0, "{english}");
        assert!(scrambled > 2.0 * english, "{english} {scrambled}");
    }

    #[test]
    fn it_survives_a_round_trip_through_its_tokenizer() {
        let tokenizer = checkpoint().unwrap().tokenizer;
        for text in [SENTENCE, "  naïve — “déjà vu”\n\n漢字\t", ""] {
            let tokens = tokenizer.encode(text, false).unwrap();
            assert_eq!(tokenizer.decode(&tokens, false).unwrap(), text);
        }
    }
}
