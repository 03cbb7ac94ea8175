//! Checkpoints that are refused by name, with the way out.

use std::path::Path;

use serde_json::Value;

use super::files::Files;
use crate::{Error, Result};

/// Refuses a configuration that says its weights are quantised.
pub(super) fn quantised(path: &Path, config: &Value) -> Result<()> {
    let fields = ["quantization_config", "compression_config"];
    let found = fields.iter().find_map(|field| config.get(field).filter(|value| !value.is_null()));
    let Some(quantisation) = found else { return Ok(()) };
    let method = match quantisation.get("quant_method").and_then(Value::as_str) {
        Some(method) => method,
        None if quantisation.get("load_in_4bit").is_some() => "bitsandbytes",
        None => "unknown",
    };
    Err(Error::Unsupported {
        what: format!("{}: a checkpoint quantised with {}", path.display(), label(method)),
        hint: quantisation_hint(method).into(),
    })
}

fn label(method: &str) -> &str {
    match method {
        "gptq" => "GPTQ",
        "awq" => "AWQ",
        "fp8" | "fbgemm_fp8" => "FP8",
        "mxfp4" => "MXFP4",
        "unknown" => "an unnamed method",
        other => other,
    }
}

fn quantisation_hint(method: &str) -> &'static str {
    match method {
        "fp8" | "fbgemm_fp8" => {
            "use the model's BF16 variant, or dequantise it: from_pretrained(FOLDER, \
             quantization_config=FineGrainedFP8Config(dequantize=True)).save_pretrained(OUT)"
        }
        "mxfp4" => {
            "use a BF16 variant, or dequantise it: from_pretrained(FOLDER, \
             quantization_config=Mxfp4Config(dequantize=True)).save_pretrained(OUT)"
        }
        "bitsandbytes" => {
            "use the model it was made from, or dequantise it: \
             from_pretrained(FOLDER).dequantize().save_pretrained(OUT)"
        }
        "compressed-tensors" => {
            "use the model it was made from, or decompress it: from_pretrained(FOLDER, \
             quantization_config=CompressedTensorsConfig(run_compressed=False))\
             .save_pretrained(OUT)"
        }
        "gptq" | "awq" => {
            "prune the unquantised model it was made from and quantise the result, or open a \
             GGUF file of it"
        }
        _ => "use the unquantised model it was made from, or a dequantised variant",
    }
}

/// The error for a folder without config.json.
pub(super) fn no_config(files: &Files) -> Error {
    if let Some(file) = files.ending(".gguf").next() {
        return Error::Unsupported {
            what: format!("{}: a folder of GGUF files", files.folder().display()),
            hint: format!("name one of its files, such as {file}"),
        };
    }
    Error::malformed(files.folder(), "config.json is missing; a Hugging Face folder has one")
}

/// The error for a folder without weights that are read.
pub(super) fn no_weights(files: &Files) -> Error {
    let pickled = [".bin", ".pt", ".pth", ".ckpt"].iter().find_map(|e| files.ending(e).next());
    if let Some(file) = pickled {
        return Error::Unsupported {
            what: format!("{}: pickled PyTorch weights ({file})", files.folder().display()),
            hint: "convert them to safetensors with transformers: \
                   AutoModelForCausalLM.from_pretrained(FOLDER).save_pretrained(OUT), and the \
                   same for AutoTokenizer"
                .into(),
        };
    }
    let found: Vec<_> = files.ending(".safetensors").collect();
    let found = if found.is_empty() { "no weights".to_owned() } else { found.join(", ") };
    Error::malformed(
        files.folder(),
        format!("model.safetensors or model.safetensors.index.json expected, {found} found"),
    )
}
