//! Which model, and how it is run.

use clap::Args;

use super::{DtypeChoice, Size, choices};

/// Which model, and how it is run.
#[derive(Args, Clone, Debug)]
pub(crate) struct ModelOptions {
    /// A Hugging Face folder, a .gguf file, a hub id such as HuggingFaceTB/SmolLM2-135M, or `demo`,
    /// the small model that is part of the program
    pub(crate) model: String,

    /// The arithmetic of the forward pass; `auto` is the checkpoint's own
    ///
    /// bf16 for bf16 weights and GGUF files, f32 otherwise. Weights are written in the type they
    /// came in, whatever is chosen here.
    #[arg(long, value_enum, default_value_t = DtypeChoice::Auto)]
    pub(crate) dtype: DtypeChoice,

    /// Memory the work may take, such as 8G or 512MiB (mapped files not counted)
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,

    /// Force the kernels of one instruction set, to repeat another machine's results
    #[arg(long, value_name = "LEVEL", value_parser = choices::kernel_levels())]
    pub(crate) kernel: Option<String>,

    /// Use what the hub's cache holds and never the network
    #[arg(long)]
    pub(crate) offline: bool,
}

impl ModelOptions {
    /// Bytes the work may take, where they are limited.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.memory.map(|size| size.0)
    }
}
