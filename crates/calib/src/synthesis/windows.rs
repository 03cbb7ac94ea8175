//! Texts of many lengths become windows of one.

use super::Text;
use crate::{Origin, provenance::Piece};

/// Windows cut from texts.
pub(crate) struct Windows {
    /// Token ids, all of one length.
    pub(crate) sequences: Vec<Vec<u32>>,
    /// The texts each is made of.
    pub(crate) origins: Vec<Origin>,
    /// Tokens that do not fill a window yet.
    pub(crate) rest: usize,
}

/// Cuts `texts`, in order, into windows of `length` tokens.
///
/// Texts that fill a window are windows by themselves. What is shorter is joined, with `end` (the
/// end-of-text token) between, until a window is full; a text that does not fit goes on in the next.
pub(crate) fn cut(texts: &[&Text], length: usize, end: Option<u32>) -> Windows {
    let mut windows = Windows { sequences: Vec::new(), origins: Vec::new(), rest: 0 };
    let mut joined = Joined { tokens: Vec::new(), pieces: Vec::new(), length };
    for text in texts {
        let body = text.body();
        let whole = body.len() - body.len() % length;
        for start in (0..whole).step_by(length) {
            windows.push(body[start..start + length].to_vec(), vec![piece(text, start, length)]);
        }
        joined.add(text, whole, end, &mut windows);
    }
    windows.rest = joined.tokens.len();
    windows
}

impl Windows {
    fn push(&mut self, tokens: Vec<u32>, pieces: Vec<Piece>) {
        self.sequences.push(tokens);
        self.origins.push(Origin::Generated { pieces });
    }
}

/// A window that is being filled.
struct Joined {
    tokens: Vec<u32>,
    pieces: Vec<Piece>,
    length: usize,
}

impl Joined {
    /// Adds the body of `text` from `start` on.
    fn add(&mut self, text: &Text, mut start: usize, end: Option<u32>, full: &mut Windows) {
        let body = text.body();
        if start == body.len() {
            return;
        }
        while start < body.len() {
            let count = (self.length - self.tokens.len()).min(body.len() - start);
            self.tokens.extend_from_slice(&body[start..start + count]);
            self.pieces.push(piece(text, start, count));
            start += count;
            self.empty_if_full(full);
        }
        if let Some(end) = end.filter(|_| !self.tokens.is_empty()) {
            self.tokens.push(end);
            self.empty_if_full(full);
        }
    }

    fn empty_if_full(&mut self, full: &mut Windows) {
        if self.tokens.len() == self.length {
            full.push(std::mem::take(&mut self.tokens), std::mem::take(&mut self.pieces));
        }
    }
}

fn piece(text: &Text, offset: usize, tokens: usize) -> Piece {
    Piece {
        text: text.stream,
        offset,
        tokens,
        prefix: text.prefix,
        // JSON has no infinity.
        perplexity: text.perplexity().min(f64::MAX),
    }
}
