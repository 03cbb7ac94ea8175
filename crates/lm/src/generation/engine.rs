//! The sequences that run together, and the steps they take.

use compute::{KeyValueCache, Matrix, Stream};
use rayon::prelude::*;

use super::plan::{self, PREFILL_TOKENS};
use super::{Event, Finish, Generated, Plan, Prompt, Settings};
use crate::scoring::{Score, log_probability};
use crate::{Batch, Block, Model, Observer, OutputHead, Result};

/// A loaded model, the sequences that run, and their cache.
pub(super) struct Engine<'a> {
    model: &'a Model,
    blocks: Vec<Block>,
    head: OutputHead,
    settings: &'a Settings,
    plan: &'a Plan,
    waiting: std::iter::Enumerate<std::slice::Iter<'a, Prompt>>,
    running: Vec<Sequence>,
    /// One entry per block; entry `i` of a block belongs to sequence `i` of `running`.
    cache: Vec<Vec<KeyValueCache>>,
    /// One entry per block: emptied caches to use again.
    spare: Vec<Vec<KeyValueCache>>,
}

/// A text that grows.
struct Sequence {
    prompt: usize,
    tokens: Vec<u32>,
    prompt_tokens: usize,
    /// Tokens that are in the cache.
    run: usize,
    /// Tokens it may have, and why it ends there.
    limit: (usize, Finish),
    seen: Seen,
    stream: Stream,
    score: Score,
}

/// A token that was drawn, and its log-probability by the model's own distribution.
#[derive(Clone, Copy)]
struct Drawn {
    token: u32,
    log_probability: f64,
}

/// The distinct tokens of a sequence.
struct Seen {
    tokens: Vec<u32>,
    /// One bit per token of the vocabulary.
    bits: Vec<u64>,
}

impl<'a> Engine<'a> {
    pub(super) fn load(
        model: &'a Model,
        prompts: &'a [Prompt],
        settings: &'a Settings,
        plan: &'a Plan,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let head = model.head()?;
        let blocks = model.blocks(observer)?;
        let empty = || (0..blocks.len()).map(|_| Vec::new()).collect();
        Ok(Self {
            cache: empty(),
            spare: empty(),
            head,
            waiting: prompts.iter().enumerate(),
            running: Vec::new(),
            model,
            blocks,
            settings,
            plan,
        })
    }

    /// Fills free places with waiting prompts; whether anything runs.
    pub(super) fn admit(
        &mut self,
        sink: &mut dyn FnMut(Event) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<bool> {
        while self.running.len() < self.plan.batch {
            let Some((index, prompt)) = self.waiting.next() else { break };
            let sequence = Sequence::new(self.model, index, prompt, self.settings)?;
            match sequence.finish(&self.settings.stop) {
                Some(finish) => sequence.end(finish, sink, observer)?,
                None => self.place(sequence),
            }
        }
        Ok(!self.running.is_empty())
    }

    fn place(&mut self, sequence: Sequence) {
        let precision = self.model.precision();
        let rooms = self.cache.iter_mut().zip(&mut self.spare).zip(&self.blocks);
        for ((cache, spare), block) in rooms {
            let shape = &block.spec().attention;
            let new = || KeyValueCache::with_capacity(shape, self.plan.longest, precision);
            cache.push(spare.pop().unwrap_or_else(new));
        }
        self.running.push(sequence);
    }

    /// Runs the next tokens of every sequence and draws a token for those whose prompt is through.
    pub(super) fn step(
        &mut self,
        sink: &mut dyn FnMut(Event) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let lengths = self.lengths();
        let last_rows = self.forward(&lengths)?;
        let drawn = self.draw(&last_rows)?;
        for (sequence, drawn) in self.running.iter_mut().zip(&drawn) {
            if let Some(drawn) = *drawn {
                sequence.push(drawn);
                sink(Event::Token { prompt: sequence.prompt, token: drawn.token })?;
            }
        }
        observer.advanced(drawn.iter().flatten().count() as u64);
        self.retire(sink, observer)
    }

    /// Tokens of every sequence that run now: one, and as many prompt tokens as there is room for.
    fn lengths(&self) -> Vec<usize> {
        let mut room = PREFILL_TOKENS;
        let length = |sequence: &Sequence| {
            let more = (sequence.tokens.len() - sequence.run - 1).min(room);
            room -= more;
            1 + more
        };
        self.running.iter().map(length).collect()
    }

    /// The residual stream of the last token of every sequence, `[sequences, hidden]`.
    fn forward(&mut self, lengths: &[usize]) -> Result<Matrix> {
        let mut tokens = Vec::new();
        for (sequence, length) in self.running.iter_mut().zip(lengths) {
            tokens.extend_from_slice(&sequence.tokens[sequence.run..][..*length]);
            sequence.run += length;
        }
        let mut state = self.model.embed(&tokens)?;
        for (block, cache) in self.blocks.iter().zip(&mut self.cache) {
            state = block.run(state, &mut Batch::cached(lengths, cache));
        }
        let mut last_rows = Vec::with_capacity(lengths.len() * state.cols());
        let mut end = 0;
        for length in lengths {
            end += length;
            last_rows.extend_from_slice(state.row(end - 1));
        }
        Ok(Matrix::from_vec(lengths.len(), state.cols(), last_rows))
    }

    /// The next token of every sequence whose tokens have all run.
    fn draw(&self, last_rows: &Matrix) -> Result<Vec<Option<Drawn>>> {
        let mut logits = self.head.logits(last_rows.view());
        let vocabulary = logits.cols();
        let rows = logits.as_mut_slice().par_chunks_mut(vocabulary).zip(&self.running);
        let drawn = rows.map(|(logits, sequence)| {
            if sequence.run < sequence.tokens.len() {
                return Ok(None);
            }
            let uniform = sequence.stream.uniform(sequence.tokens.len() as u64);
            let token = self.settings.sampling.draw(logits, &sequence.seen.tokens, uniform)?;
            let log_probability = log_probability(logits, token as usize);
            Ok(Some(Drawn { token, log_probability }))
        });
        let drawn = drawn.collect();
        logits.recycle();
        drawn
    }

    /// Ends the sequences that are finished and frees their places.
    fn retire(
        &mut self,
        sink: &mut dyn FnMut(Event) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        for index in (0..self.running.len()).rev() {
            let Some(finish) = self.running[index].finish(&self.settings.stop) else { continue };
            for (cache, spare) in self.cache.iter_mut().zip(&mut self.spare) {
                let mut emptied = cache.swap_remove(index);
                emptied.clear();
                spare.push(emptied);
            }
            self.running.swap_remove(index).end(finish, sink, observer)?;
        }
        Ok(())
    }
}

impl Sequence {
    fn new(model: &Model, index: usize, prompt: &Prompt, settings: &Settings) -> Result<Self> {
        let tokens = plan::start(model, index, prompt)?;
        let (prompt_tokens, context) = (tokens.len(), model.spec().context);
        let asked = settings.asked(prompt_tokens);
        let limit =
            if asked <= context { (asked, Finish::Length) } else { (context, Finish::Context) };
        let mut seen = Seen::new(model.spec().vocabulary);
        tokens.iter().for_each(|&token| seen.insert(token));
        let stream = Stream::new(settings.seed, prompt.stream);
        let score = Score::default();
        Ok(Self { prompt: index, tokens, prompt_tokens, run: 0, limit, seen, stream, score })
    }

    fn push(&mut self, drawn: Drawn) {
        self.tokens.push(drawn.token);
        self.seen.insert(drawn.token);
        self.score = self.score.and(Score { sum: drawn.log_probability, tokens: 1 });
    }

    /// Why it is finished, where it is.
    fn finish(&self, stop: &[u32]) -> Option<Finish> {
        let written = &self.tokens[self.prompt_tokens..];
        if written.last().is_some_and(|token| stop.contains(token)) {
            return Some(Finish::Stop);
        }
        let (limit, finish) = self.limit;
        (self.tokens.len() >= limit).then_some(finish)
    }

    /// Hands the text over; the tokens it did not need count as done.
    fn end(
        self,
        finish: Finish,
        sink: &mut dyn FnMut(Event) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        observer.advanced((self.limit.0 - self.tokens.len()) as u64);
        let Self { prompt, tokens, prompt_tokens, score, .. } = self;
        sink(Event::Finished(Generated { prompt, tokens, prompt_tokens, finish, score }))
    }
}

impl Seen {
    fn new(vocabulary: usize) -> Self {
        Self { tokens: Vec::new(), bits: vec![0; vocabulary.div_ceil(64)] }
    }

    fn insert(&mut self, token: u32) {
        let (word, bit) = (token as usize / 64, 1 << (token % 64));
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            self.tokens.push(token);
        }
    }
}
