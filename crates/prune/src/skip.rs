//! Blocks and linears that are left alone.

use lm::{LinearSpec, Spec};

use crate::{Error, Result};

/// The `--skip` patterns of a run.
///
/// A pattern is a block's index (`0`), a range of blocks (`0-2`), or a glob (`*` stands for any
/// text) over a linear's tensor name (`model.layers.3.*`), its name within the block
/// (`mlp.down_proj`) or the last part of that (`down_proj`).
#[derive(Clone, Debug, Default)]
pub struct Skip {
    patterns: Vec<String>,
}

impl Skip {
    /// Takes the patterns of a run over the model of `spec`.
    ///
    /// # Errors
    /// [`Error::Skip`] when a pattern names nothing in the model.
    pub fn new(patterns: &[String], spec: &Spec) -> Result<Self> {
        for pattern in patterns {
            if !linears(spec).any(|(block, linear)| matches(pattern, block, linear)) {
                return Err(Error::Skip {
                    pattern: pattern.clone(),
                    problem: format!(
                        "it names none of the model's {} blocks and their linears ({})",
                        spec.blocks.len(),
                        names(spec).join(", ")
                    ),
                });
            }
        }
        Ok(Self { patterns: patterns.to_vec() })
    }

    /// Whether `linear` of block `block` is left alone.
    pub fn skips(&self, block: usize, linear: &LinearSpec) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, block, linear))
    }
}

fn linears(spec: &Spec) -> impl Iterator<Item = (usize, &LinearSpec)> {
    spec.blocks.iter().enumerate().flat_map(|(i, block)| block.linears().map(move |l| (i, l)))
}

/// The names of the linears within a block, each once.
fn names(spec: &Spec) -> Vec<&str> {
    let mut names = Vec::new();
    for (_, linear) in linears(spec) {
        if !names.contains(&linear.name.as_str()) {
            names.push(&linear.name);
        }
    }
    names
}

fn matches(pattern: &str, block: usize, linear: &LinearSpec) -> bool {
    if let Some((first, last)) = block_range(pattern) {
        return (first..=last).contains(&block);
    }
    let tensor = linear.tensor.strip_suffix(".weight").unwrap_or(&linear.tensor);
    let last = linear.name.rsplit('.').next().unwrap_or(&linear.name);
    [tensor, &linear.tensor, &linear.name, last].iter().any(|name| glob(pattern, name))
}

/// The blocks that `3` or `0-2` names.
fn block_range(pattern: &str) -> Option<(usize, usize)> {
    let (first, last) = pattern.split_once('-').unwrap_or((pattern, pattern));
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Whether `text` matches `pattern`, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut open = false;
    let parts: Vec<_> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        open = true;
        if index + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    open || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear() -> LinearSpec {
        LinearSpec {
            name: "mlp.down_proj".into(),
            tensor: "model.layers.3.mlp.down_proj.weight".into(),
            bias: None,
            outputs: 1,
            inputs: 1,
        }
    }

    #[test]
    fn patterns_name_blocks_and_linears() {
        for pattern in ["3", "2-4", "down_proj", "mlp.*", "*down*", "model.layers.3.*", "*"] {
            assert!(matches(pattern, 3, &linear()), "{pattern}");
        }
        for pattern in ["4", "0-2", "up_proj", "self_attn.*", "model.layers.30.*", "down", ""] {
            assert!(!matches(pattern, 3, &linear()), "{pattern}");
        }
    }
}
