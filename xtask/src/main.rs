//! What the project makes for itself.
//!
//!     cargo run --release -p xtask -- checkpoint --like llama-3-8b --blocks 4 -o FOLDER

mod checkpoint;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "What the project makes for itself")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write a checkpoint of random weights, to measure time and memory with
    Checkpoint(checkpoint::Options),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Checkpoint(options) => checkpoint::write(&options),
    }
}
