//! The real file, where it is there.

use std::path::PathBuf;

use lm::{Checkpoint, Dtype, checkpoint::Content, families};

/// The folder of shared data, or a line that says the test is skipped.
fn shared(path: &str) -> Option<PathBuf> {
    let near = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let folder = std::env::var_os("SECATEUR_SHARED").map_or(near.into(), PathBuf::from);
    let path = folder.join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there (set SECATEUR_SHARED)", path.display());
    None
}

#[test]
fn smollm2_opens_with_every_tensor_its_configuration_asks_for() {
    let Some(path) = shared("models/SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let checkpoint = Checkpoint::open(&path).unwrap();
    let spec = families::spec(&checkpoint.config).unwrap();
    assert_eq!((spec.hidden, spec.vocabulary, spec.blocks.len()), (576, 49152, 30));
    let tensors = checkpoint.store.tensors();
    assert_eq!(tensors.len(), spec.tensors().len());
    for (name, shape) in spec.tensors() {
        assert_eq!((&tensors[&name].shape, tensors[&name].dtype), (&shape, Dtype::BF16), "{name}");
    }
    if let Some(folder) = std::env::var_os("SECATEUR_GGUF_DUMP") {
        dump(&checkpoint, &PathBuf::from(folder));
    }
}

/// Writes tensors (bf16, one file each) and companions, to be compared with other programs.
fn dump(checkpoint: &Checkpoint, folder: &std::path::Path) {
    for companion in &checkpoint.companions {
        let Content::Bytes(bytes) = &companion.content else { continue };
        std::fs::write(folder.join(&companion.name), bytes).unwrap();
    }
    for name in checkpoint.store.tensors().keys() {
        let tensor = checkpoint.store.read(name).unwrap();
        std::fs::write(folder.join(format!("{name}.bin")), &tensor.bytes).unwrap();
    }
}
