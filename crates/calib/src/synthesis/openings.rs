//! Texts whose first tokens are written in another way than the rest.

use lm::Observer;
use lm::generation::{Finish, Generated, Prompt};

use super::parts::{Part, Unseen, text};
use super::{Request, Text};
use crate::Result;

/// Writes texts that begin with `prompts`, of whose tokens `lead` are special and `prefix` given:
/// first by each of `parts` in turn, then by the sampling of the settings up to the full length.
pub(super) fn write(
    request: &Request<'_>,
    mut prompts: Vec<Prompt>,
    prefix: usize,
    parts: &[Part],
    sink: &mut dyn FnMut(Text) -> Result<()>,
    observer: &dyn Observer,
) -> Result<()> {
    let mut lead = None;
    let mut grown = prefix;
    for part in parts {
        grown += part.tokens;
        let mut going = Vec::new();
        let mut keep = |prompt: &Prompt, generated: Generated| -> Result<()> {
            let lead = *lead.get_or_insert(generated.prompt_tokens - prefix);
            if generated.finish == Finish::Length {
                going.push(Prompt { tokens: generated.tokens, stream: prompt.stream });
                return Ok(());
            }
            sink(text(prompt.stream, lead, prefix, generated))
        };
        request.grow(&prompts, part, &mut keep, &Unseen(observer))?;
        // whatever the order in which they were finished
        going.sort_by_key(|prompt| prompt.stream);
        prompts = going;
    }
    let mut last = |prompt: &Prompt, generated: Generated| -> Result<()> {
        let lead = lead.unwrap_or(generated.prompt_tokens - prefix);
        sink(text(prompt.stream, lead, prefix, generated))
    };
    request.grow(&prompts, &request.body(request.length - grown), &mut last, observer)
}
