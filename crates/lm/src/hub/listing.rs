//! The files of a model on the hub, and which of them are needed.
//!
//! Everything here was written by a server and is taken for hostile.

use serde::Deserialize;

use super::id::is_commit;

/// The file that names the shards.
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// The weights in one file.
pub(super) const SINGLE: &str = "model.safetensors";
/// The most files one model may be made of.
const MOST_FILES: usize = 2_000;
/// The largest file that is not weights, in bytes.
const LARGEST_COMPANION: u64 = 256 << 20;
/// The largest file of weights, in bytes.
const LARGEST_WEIGHTS: u64 = 512 << 30;

/// The largest file of a data set, in bytes.
const LARGEST_SHARD: u64 = 64 << 30;

/// What the hub says of one revision of a model.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    /// The commit, 40 hexadecimal digits.
    #[serde(rename = "sha")]
    pub(super) commit: String,
    #[serde(rename = "siblings")]
    files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    /// Its path within the model, `/` between the parts.
    #[serde(rename = "rfilename")]
    pub(super) name: String,
    /// Its bytes, where the server says so.
    #[serde(default)]
    pub(super) size: Option<u64>,
    /// Whether it belongs to a data set.
    #[serde(skip)]
    pub(super) data: bool,
}

impl Entry {
    /// The largest size that is taken, in bytes.
    pub(super) fn limit(&self) -> u64 {
        let data = [".parquet", ".arrow", ".gz", ".zst", ".json", ".jsonl", ".txt"];
        match self.data && data.iter().any(|end| self.name.ends_with(end)) {
            true => LARGEST_SHARD,
            false if self.name.ends_with(".safetensors") => LARGEST_WEIGHTS,
            false => LARGEST_COMPANION,
        }
    }
}

/// Why a listing is of no use: what is wrong, and what to do.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) problem: String,
    pub(super) hint: &'static str,
}

const OTHER_HUB: &str = "this is not how the hub answers: check HF_ENDPOINT";

impl Listing {
    /// Reads the hub's answer and refuses names that could leave the folder.
    pub(super) fn parse(answer: &[u8]) -> Result<Self, Refusal> {
        let refusal = |problem| Refusal { problem, hint: OTHER_HUB };
        let listing: Self = serde_json::from_slice(answer)
            .map_err(|error| refusal(format!("the list of files cannot be read: {error}")))?;
        if !is_commit(&listing.commit) {
            return Err(refusal(format!("{:?} is no commit", listing.commit)));
        }
        match listing.files.iter().find(|file| !is_safe(&file.name)) {
            Some(file) => Err(refusal(format!("the file name {:?} is refused", file.name))),
            None => Ok(listing),
        }
    }

    /// The names of all files.
    pub(super) fn names(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.name.as_str()).collect()
    }

    /// The files of a data set that have these names.
    pub(super) fn shards(&self, names: &[String]) -> Vec<Entry> {
        let shard = |name: &String| Some(Entry { data: true, ..self.entry(name)?.clone() });
        names.iter().filter_map(shard).collect()
    }

    /// The file of that name.
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The needed files: those that are not weights first, the weights last, so that a snapshot
    /// with all its weights is whole. `shards` are the weight files the index names.
    pub(super) fn needed(&self, shards: Option<&[String]>) -> Result<Vec<Entry>, Refusal> {
        let mut needed: Vec<Entry> =
            self.files.iter().filter(|file| is_companion(&file.name)).cloned().collect();
        let single = [SINGLE.to_owned()];
        for name in shards.unwrap_or(&single) {
            let shard = self.entry(name).ok_or_else(|| Refusal {
                problem: format!("{INDEX} names {name}, which the hub does not hold"),
                hint: "the upload is not complete: try another revision",
            })?;
            needed.push(shard.clone());
        }
        if needed.len() > MOST_FILES {
            let problem = format!("{} files, at most {MOST_FILES} are taken", needed.len());
            return Err(Refusal { problem, hint: "fetch it by other means and pass its folder" });
        }
        Ok(needed)
    }

    /// Refuses a model that has no weights of a kind that is read, with the way out.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let refuse = |problem: &str, hint| Err(Refusal { problem: problem.to_owned(), hint });
        let any = |end: &str| self.files.iter().any(|file| file.name.ends_with(end));
        if self.entry(INDEX).is_some() || self.entry(SINGLE).is_some() {
            if self.entry("config.json").is_none() {
                return refuse("it holds no config.json", "pass a model of the Llama family");
            }
            return Ok(());
        }
        if self.entry("adapter_config.json").is_some() {
            return refuse(
                "it is an adapter, not a model",
                "merge it into its base model (peft: merge_and_unload, save_pretrained) and pass \
                 that folder",
            );
        }
        if any(".gguf") {
            return refuse(
                "it holds GGUF files and no model.safetensors",
                "download one of its .gguf files and pass that file",
            );
        }
        if any(".bin") || any(".pt") || any(".pth") {
            return refuse(
                "it holds PyTorch files and no safetensors",
                "load it with transformers, save it with save_pretrained(folder) and pass that \
                 folder",
            );
        }
        refuse(
            "it holds neither model.safetensors nor model.safetensors.index.json",
            "pass a model saved by transformers, a folder or a .gguf file",
        )
    }
}

/// Whether a name stays within the folder it is joined to, on every system.
pub(super) fn is_safe(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.len() <= 255 && part != "." && part != "..";
    !name.contains(['\\', ':', '\0'])
        && !name.chars().any(char::is_control)
        && name.len() <= 1024
        && name.split('/').all(part)
}

/// Whether a file that is not weights belongs to the model: configuration, tokenizer, licence.
fn is_companion(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "config.json",
        "generation_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        INDEX,
    ];
    const LEGAL: [&str; 5] = ["license", "licence", "notice", "copying", "use_policy"];
    if let Some(template) = name.strip_prefix("additional_chat_templates/") {
        return !template.contains('/') && template.ends_with(".jinja");
    }
    let lower = name.to_lowercase();
    let tokenizer =
        name.starts_with("tokenizer") && (name.ends_with(".json") || name.ends_with(".model"));
    !name.contains('/')
        && (NAMES.contains(&name)
            || tokenizer
            || name.starts_with("chat_template")
            || LEGAL.iter().any(|start| lower.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn listing(names: &[&str]) -> Result<Listing, Refusal> {
        let siblings: Vec<_> =
            names.iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let answer = serde_json::json!({ "sha": COMMIT, "siblings": siblings, "other": 1 });
        Listing::parse(answer.to_string().as_bytes())
    }

    fn needed(names: &[&str]) -> Vec<String> {
        let needed = listing(names).unwrap().needed(None).unwrap();
        needed.into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn takes_what_a_model_needs_and_the_weights_last() {
        let all = [
            "model.safetensors",
            ".gitattributes",
            "README.md",
            "LICENSE",
            "License.txt",
            "config.json",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "tokenizer.model",
            "special_tokens_map.json",
            "chat_template.jinja",
            "onnx/model.onnx",
            "pytorch_model.bin",
            "model.fp16.safetensors",
            "consolidated.safetensors",
            "x.gguf",
            "original/tokenizer.model",
            "additional_chat_templates/tool.jinja",
            "modeling.py",
        ];
        let expected = [
            "LICENSE",
            "License.txt",
            "config.json",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "tokenizer.model",
            "special_tokens_map.json",
            "chat_template.jinja",
            "additional_chat_templates/tool.jinja",
            "model.safetensors",
        ];
        assert_eq!(needed(&all), expected);
    }

    #[test]
    fn refuses_models_without_safetensors_and_says_what_to_do() {
        let hint = |names: &[&str]| {
            let refusal = listing(names).unwrap().check().unwrap_err();
            format!("{}: {}", refusal.problem, refusal.hint)
        };
        assert!(hint(&["config.json", "pytorch_model.bin"]).contains("save_pretrained"));
        assert!(hint(&["config.json", "m.Q4_0.gguf"]).contains(".gguf files"));
        assert!(hint(&["adapter_config.json", "adapter_model.safetensors"]).contains("adapter"));
        assert!(hint(&["README.md"]).contains("neither"));
        assert!(hint(&["model.safetensors"]).contains("config.json"));
    }

    #[test]
    fn refuses_shards_that_are_not_listed() {
        let listing = listing(&["config.json", INDEX, "a.safetensors"]).unwrap();
        let shards = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            listing.needed(Some(&names))
        };
        assert!(shards(&["a.safetensors"]).is_ok());
        assert!(shards(&["b.safetensors"]).unwrap_err().problem.contains("b.safetensors"));
    }

    #[test]
    fn refuses_names_that_leave_the_folder() {
        for name in [
            "../config.json",
            "/etc/passwd",
            "a/../b",
            "a//b",
            "",
            ".",
            "..",
            "tokenizer\\x.json",
            "C:config.json",
            "tokenizer\n.json",
            "a/",
            "tokenizer\0.json",
        ] {
            let refusal = listing(&["config.json", name]).unwrap_err();
            assert!(refusal.problem.contains("refused"), "{name:?}: {}", refusal.problem);
        }
        assert!(listing(&[&"x".repeat(256)]).is_err());
    }

    #[test]
    fn refuses_other_answers() {
        for answer in ["", "<html>", "{}", r#"{"sha":"main","siblings":[]}"#, "[[[[[["] {
            assert!(Listing::parse(answer.as_bytes()).is_err(), "{answer:?}");
        }
        let evil = r#"{"sha":"../../../../../../../../../../../../../etc","siblings":[]}"#;
        assert!(Listing::parse(evil.as_bytes()).is_err());
    }

    #[test]
    fn refuses_too_many_files() {
        let names: Vec<String> = (0..=MOST_FILES).map(|i| format!("tokenizer{i}.json")).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.extend(["config.json", SINGLE]);
        assert!(listing(&names).unwrap().needed(None).unwrap_err().problem.contains("at most"));
    }
}
