//! Texts whose first tokens are written in another way than the rest.

use lm::Observer;
use lm::generation::{Finish, Generated, Prompt};

use super::parts::{Beginning, Part, Unseen, text};
use super::{Request, Text};
use crate::Result;

/// Writes texts that begin with `prompts`, of whose tokens `lead` are special and `prefix` given:
/// first by each of `parts` in turn, then by the sampling of the settings up to the full length.
pub(super) fn write(
    request: &Request<'_>,
    prompts: Vec<Prompt>,
    prefix: usize,
    parts: &[Part],
    sink: &mut dyn FnMut(Text) -> Result<()>,
    observer: &dyn Observer,
) -> Result<()> {
    let mut beginnings: Vec<Beginning> = prompts.into_iter().map(Beginning::from).collect();
    let mut lead = None;
    let mut grown = prefix;
    for part in parts {
        grown += part.tokens;
        let mut going = Vec::new();
        let mut keep = |stream: u64, generated: Generated| -> Result<()> {
            let lead = *lead.get_or_insert(generated.prompt_tokens - prefix);
            if generated.finish == Finish::Length {
                let Generated { tokens, score, .. } = generated;
                going.push(Beginning { prompt: Prompt { tokens, stream }, score });
                return Ok(());
            }
            sink(text(stream, lead, prefix, generated))
        };
        request.grow(&beginnings, part, &mut keep, &Unseen(observer))?;
        // whatever the order in which they were finished
        going.sort_by_key(|beginning| beginning.prompt.stream);
        beginnings = going;
    }
    let mut last = |stream: u64, generated: Generated| -> Result<()> {
        let lead = lead.unwrap_or(generated.prompt_tokens - prefix);
        sink(text(stream, lead, prefix, generated))
    };
    request.grow(&beginnings, &request.body(request.length - grown), &mut last, observer)
}
