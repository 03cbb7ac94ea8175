//! Context and continuation as tokens, as lm-evaluation-harness 0.4 makes them
//! (`TemplateLM._encode_pair`, `HFLM.tok_encode`).

use lm::Tokenizer;

use crate::Result;
use crate::tasks::text::strip_end;

/// Something, or in words why it cannot be scored.
pub(super) type Scorable<T> = std::result::Result<T, String>;

/// A context with its continuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// Both, one after the other.
    pub(super) tokens: Vec<u32>,
    /// Tokens of the continuation.
    pub(super) scored: usize,
    /// Whether tokens of the context were cut off.
    pub(super) truncated: bool,
}

/// A tokenizer that encodes pairs for a model of so many positions.
pub(crate) struct PairEncoder<'a> {
    tokenizer: &'a Tokenizer,
    context: usize,
    /// The token before a text without a context, and its text.
    prefix: Option<(u32, String)>,
}

impl<'a> PairEncoder<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer, context: usize) -> Result<Self> {
        let prefix = tokenizer.bos.or(tokenizer.eos.first().copied());
        let named = |token| Ok::<_, lm::Error>((token, tokenizer.decode(&[token], true)?));
        Ok(Self { tokenizer, context, prefix: prefix.map(named).transpose()? })
    }

    /// The token before a text without a context, where the tokenizer has one.
    pub(crate) fn prefix(&self) -> Option<u32> {
        self.prefix.as_ref().map(|(token, _)| *token)
    }

    /// The tokens of a text, with the special ones that the tokenizer adds unless the text begins
    /// with them itself.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let begins = |(_, prefix): &(u32, String)| text.starts_with(prefix.as_str());
        Ok(self.tokenizer.encode(text, !self.prefix.as_ref().is_some_and(begins))?)
    }

    /// White space at the end of the context belongs to the continuation; both are tokenised as one
    /// text, and what follows the context's own tokens is the continuation. An empty context is the
    /// beginning-of-text token, or the end-of-text token where there is none.
    ///
    /// The problem in words where the pair cannot be scored.
    pub(super) fn pair(&self, context: &str, continuation: &str) -> Result<Scorable<Pair>> {
        let (mut tokens, rest) = match context {
            "" => {
                let Some((prefix, _)) = &self.prefix else {
                    let problem =
                        "the context is empty and the tokenizer has no token to begin with";
                    return Ok(Err(problem.to_owned()));
                };
                let mut rest = self.tokenizer.encode(continuation, false)?;
                if rest.first() == Some(prefix) {
                    rest.remove(0);
                }
                (vec![*prefix], rest)
            }
            _ => {
                let text = strip_end(context);
                let before = self.encode(text)?;
                let whole = self.encode(&format!("{context}{continuation}"))?;
                let rest = whole.get(before.len()..).unwrap_or_default().to_vec();
                (before, rest)
            }
        };
        if tokens.is_empty() || rest.is_empty() {
            let which = if rest.is_empty() { "the choice" } else { "the context" };
            return Ok(Err(format!("{which} has no token of its own")));
        }
        tokens.extend(&rest);
        Ok(self.fitted(tokens, rest.len()))
    }

    /// Cut on the left so that all tokens but the last fit the model.
    fn fitted(&self, mut tokens: Vec<u32>, scored: usize) -> Scorable<Pair> {
        if scored > self.context {
            return Err(format!(
                "the choice has {scored} tokens, the model's context is {}",
                self.context
            ));
        }
        let over = tokens.len().saturating_sub(self.context + 1);
        tokens.drain(..over);
        Ok(Pair { tokens, scored, truncated: over > 0 })
    }
}

#[cfg(test)]
mod tests {
    use testkit::{BOS, EOS, tokenizer_json};

    use super::*;

    fn tokenizer(bos: Option<u32>) -> Tokenizer {
        let mut json = tokenizer_json(288);
        if bos.is_none() {
            json["post_processor"] = serde_json::Value::Null;
        }
        Tokenizer::from_json(json.to_string().as_bytes(), bos, vec![EOS]).unwrap()
    }

    fn pair(bos: Option<u32>, context: usize, texts: [&str; 2]) -> Scorable<Pair> {
        let tokenizer = tokenizer(bos);
        PairEncoder::new(&tokenizer, context).unwrap().pair(texts[0], texts[1]).unwrap()
    }

    #[test]
    fn both_are_one_text_and_the_continuation_is_what_follows_the_context() {
        let tokenizer = tokenizer(Some(BOS));
        let whole = tokenizer.encode("The end the other", true).unwrap();
        let before = tokenizer.encode("The end", true).unwrap().len();
        let expected = Pair { scored: whole.len() - before, tokens: whole, truncated: false };
        assert_eq!(pair(Some(BOS), 99, ["The end", " the other"]), Ok(expected.clone()));
        // white space moves over
        assert_eq!(pair(Some(BOS), 99, ["The end ", "the other"]), Ok(expected));
    }

    #[test]
    fn an_empty_context_is_the_first_token_or_the_last() {
        let begun = pair(Some(BOS), 99, ["", "a"]).unwrap();
        assert_eq!((begun.tokens, begun.scored), (vec![BOS, 97], 1));
        assert_eq!(pair(None, 99, ["", "a"]).unwrap().tokens, [EOS, 97]);
        // a continuation that begins with the token lends it to the context
        assert_eq!(pair(Some(BOS), 99, ["", "<s>a"]).unwrap().tokens, [BOS, 97]);
    }

    #[test]
    fn a_text_that_begins_with_the_token_gets_no_second() {
        assert_eq!(pair(Some(BOS), 99, ["<s>b", "a"]).unwrap().tokens, [BOS, 98, 97]);
    }

    #[test]
    fn long_contexts_are_cut_on_the_left_and_counted() {
        let cut = pair(Some(BOS), 4, ["zyxwv", "ab"]).unwrap();
        assert_eq!(cut, Pair { tokens: vec![120, 119, 118, 97, 98], scored: 2, truncated: true });
        assert!(!pair(Some(BOS), 4, ["wv", "ab"]).unwrap().truncated);
        assert!(pair(Some(BOS), 2, ["w", "abc"]).unwrap_err().contains("3 tokens"));
    }

    #[test]
    fn nothing_to_score_and_nothing_to_score_it_from_are_refused() {
        assert!(pair(Some(BOS), 9, ["a", ""]).unwrap_err().contains("the choice has no token"));
        assert!(pair(None, 9, [" ", "a"]).unwrap_err().contains("the context has no token"));
    }
}
