//! `secateur run`: a recipe file.

use clap::error::ErrorKind;

use crate::failure::BadInput;
use crate::options::{Invocation, RunOptions, declared};
use crate::recipe;

/// Reads the recipe as a command line and does what it asks for.
pub(crate) fn run(options: &RunOptions) -> anyhow::Result<()> {
    let words = recipe::words(&options.recipe, &options.overrides, &declared())?;
    match Invocation::parse(words) {
        Ok(invocation) => super::run(&invocation),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => error.exit(),
        Err(error) => {
            let problem = format!("{}: {}", options.recipe.display(), what_is_wrong(&error));
            Err(BadInput::new(problem).into())
        }
    }
}

/// clap's message without its own heading and advice about the command line.
fn what_is_wrong(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let end = ["\n\nUsage:", "\n\nFor more"].iter().filter_map(|mark| text.find(mark)).min();
    text[..end.unwrap_or(text.len())].trim_end().to_owned()
}
