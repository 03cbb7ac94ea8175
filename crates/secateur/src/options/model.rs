//! Which model, and in which arithmetic.

use clap::Args;

use super::DtypeChoice;

/// Which model, and in which arithmetic.
#[derive(Args, Clone, Debug)]
pub(crate) struct ModelOptions {
    /// A Hugging Face folder, a .gguf file, or a hub id such as HuggingFaceTB/SmolLM2-135M
    pub(crate) model: String,

    /// The arithmetic of the forward pass; `auto` is the checkpoint's own
    ///
    /// bf16 for bf16 weights and GGUF files, f32 otherwise. Weights are written in the type they
    /// came in, whatever is chosen here.
    #[arg(long, value_enum, default_value_t = DtypeChoice::Auto)]
    pub(crate) dtype: DtypeChoice,

    /// Use what the hub's cache holds and never the network
    #[arg(long)]
    pub(crate) offline: bool,
}
