//! A server of completions writes.

mod answer;
mod client;
mod crew;
mod date;
mod settings;

use compute::{Stream, mix};
use lm::generation::Sampling;
use lm::scoring::Score;
use lm::{Model, Observer};

use self::answer::Completion;
use self::client::{Ask, Client};
use super::{Request, Synthesis, Text};
use crate::{Error, Result};

pub use settings::{ServerOptions, ServerSettings};

/// Keys the server's seeds apart from the other draws.
const SEEDS: u64 = 0x0000_7365_7276_6572;

/// Seeds that every server takes.
const LARGEST_SEED: u64 = 1 << 31;

/// What a character that was cut in two reads as.
const BROKEN: char = char::REPLACEMENT_CHARACTER;

/// Has a server write.
pub(super) struct Server;

/// Texts as the server is asked for them, and as they become tokens.
struct Page<'a> {
    request: &'a Request<'a>,
    /// Tokens that a text begins with; context alone.
    start: Vec<u32>,
    /// What of them the server has to be told.
    told: String,
}

impl Synthesis for Server {
    fn name(&self) -> &'static str {
        "server"
    }

    fn summary(&self) -> &'static str {
        "an OpenAI-compatible server (vLLM, SGLang, llama.cpp, TGI) continues a few tokens of real text"
    }

    fn explanation(&self) -> &'static str {
        "\
What it does
  Asks a server of completions (POST ADDRESS/v1/completions) for many texts at once, each the
  continuation of a few tokens at a random place of the prefix file, or without one of the
  beginning-of-text token. What the server writes is text: it is tokenised once, when it arrives, and
  kept at once. The model at hand then scores it, because its filters judge by its own probabilities.
  A request that fails for a passing reason is sent again, later and later, as the server asks. A text
  that is given up is counted and the others are still asked for; the run then ends with an error, and
  the same command asks only for what is missing. Redirects are not followed.

When to use it
  When the model, or a larger one of its family, is served by something faster than this program, a GPU
  for example.

Parameters
  server: the address. server_model: the model's name there. server_concurrency: texts asked for at
  once, 16. server_retries: 8 for each text. server_timeout: seconds one text may take, 600. The key, where
  the server wants one, stands in the environment variable SECATEUR_SERVER_KEY; it goes to the server's
  own address alone and is written nowhere. prefix_file, prefix_tokens, sampling, temperatures: as in
  `prefix`. Beside the fields of the interface the server is sent top_k, min_p (0) and the repetition
  penalty by its names in vLLM, SGLang, TGI (repetition_penalty) and llama.cpp (repeat_penalty,
  repeat_last_n); a server that does not know one leaves it. The model's special tokens are told only
  where the tokenizer does not put them before a text by itself.

Cost
  The server's, and one forward pass over the texts to score them. The same set again costs nothing: texts
  are kept under the address, the server's model, the settings and the digest of the model at hand. What a
  server writes anew may differ, whatever the seed.

Reference
  Ji et al., Beware of Calibration Data for Pruning Large Language Models, ICLR 2025, for the prefixes and
  the sampling; the interface: https://platform.openai.com/docs/api-reference/completions."
    }

    fn sampling(&self) -> Sampling {
        Sampling::default()
    }

    fn takes_prefixes(&self) -> bool {
        true
    }

    fn asks_a_server(&self) -> bool {
        true
    }

    fn cost(&self, _model: &Model, tokens: usize) -> String {
        format!("{tokens} tokens of a server")
    }

    fn write(
        &self,
        request: &Request<'_>,
        sink: &mut dyn FnMut(Text) -> Result<()>,
        observer: &dyn Observer,
    ) -> Result<()> {
        let Some(settings) = &request.settings.server else {
            return Err(Error::setting("server", "the strategy \"server\" needs an address"));
        };
        let options = request.server.cloned().unwrap_or_default();
        options.validate()?;
        let page = Page::new(request)?;
        let vocabulary = request.model.checkpoint().tokenizer.vocabulary();
        let client = Client::new(settings, &options, vocabulary);
        let asks = request.streams.iter().map(|&stream| page.ask(stream));
        let asks = asks.collect::<Result<Vec<Ask>>>()?;
        let mut finished = |stream: u64, completion: Completion| {
            sink(page.text(stream, &page.prefix(stream)?, &completion)?)
        };
        crew::write(client, asks, &options, &mut finished, observer)
    }
}

impl<'a> Page<'a> {
    fn new(request: &'a Request<'a>) -> Result<Self> {
        let tokenizer = &request.model.checkpoint().tokenizer;
        let start = request.lead()?;
        if !start.is_empty() {
            return Ok(Self { request, start, told: String::new() });
        }
        let first = tokenizer.bos.or(tokenizer.eos.first().copied());
        let start: Vec<u32> = first.filter(|_| request.prefixes.is_none()).into_iter().collect();
        let told = tokenizer.decode(&start, true)?;
        Ok(Self { request, start, told })
    }

    fn ask(&self, stream: u64) -> Result<Ask> {
        let Request { settings, sampling, seed, length, .. } = self.request;
        let seeds = Stream::new(mix(seed ^ SEEDS), stream);
        let turn = (stream % settings.temperatures.len().max(1) as u64) as usize;
        let temperature = settings.temperatures.get(turn).copied().unwrap_or(sampling.temperature);
        Ok(Ask {
            stream,
            prompt: format!("{}{}", self.told, self.prefix(stream)?),
            tokens: length - settings.prefix(),
            sampling: Sampling { temperature, ..sampling.clone() },
            seed: seeds.below(0, LARGEST_SEED),
        })
    }

    /// The given text that text `stream` begins with; characters cut in two at its ends are left out.
    fn prefix(&self, stream: u64) -> Result<String> {
        let Some(source) = self.request.prefixes else { return Ok(String::new()) };
        let tokens = source.draw(self.request.seed, stream, self.request.settings.prefix())?;
        let text = self.request.model.checkpoint().tokenizer.decode(&tokens, true)?;
        Ok(text.trim_matches(BROKEN).to_owned())
    }

    /// The text that begins with `prefix` and goes on with what the server wrote, as tokens, not yet
    /// scored.
    fn text(&self, stream: u64, prefix: &str, completion: &Completion) -> Result<Text> {
        let tokenizer = &self.request.model.checkpoint().tokenizer;
        let mut body = tokenizer.encode(&format!("{prefix}{}", completion.text), false)?;
        let given = tokenizer.encode(prefix, false)?;
        let prefix = given.iter().zip(&body).take_while(|(given, found)| given == found).count();
        // The server may count other tokens than the model at hand.
        let room = self.request.model.spec().context - self.start.len() - 1;
        let most = self.request.length.min(room);
        let end = tokenizer.eos.first().copied();
        let end = end.filter(|_| completion.ended && body.len() <= most);
        body.truncate(most);
        let tokens = self.start.iter().copied().chain(body).chain(end).collect();
        let (lead, ended) = (self.start.len(), end.is_some());
        Ok(Text { stream, lead, prefix: prefix.min(most), ended, tokens, score: Score::default() })
    }
}
