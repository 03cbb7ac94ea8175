//! Secateur prunes large language models after training, on one machine, without their training
//! data. This is the command line; the work is done by the libraries.

mod commands;
mod failure;
mod options;
mod recipe;
mod terminal;

use std::{ffi::OsString, process::ExitCode};

use options::Invocation;

fn main() -> ExitCode {
    match run(std::env::args_os().collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{}", failure::render(&error));
            ExitCode::from(failure::exit_code(&error) as u8)
        }
    }
}

/// Words → options → one command.
fn run(words: Vec<OsString>) -> anyhow::Result<()> {
    let invocation = Invocation::from_words(words);
    commands::run(&invocation)
}
