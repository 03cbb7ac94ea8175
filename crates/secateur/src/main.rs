//! Secateur prunes large language models after training, on one machine, without their training
//! data. This is the command line; the work is done by the libraries.

mod commands;
mod failure;
mod measure;
mod options;
mod output;
mod recipe;
mod report;
mod setup;
mod system;
mod terminal;

use std::process::ExitCode;

use options::Invocation;

fn main() -> ExitCode {
    let invocation = Invocation::from_words(std::env::args_os().collect());
    match commands::run(&invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("{}", failure::render(&error));
            ExitCode::from(failure::exit_code(&error))
        }
    }
}
