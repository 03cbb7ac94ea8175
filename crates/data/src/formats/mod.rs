//! File formats: one file each.
//!
//! To add a format, write its file and add its line to [`FORMATS`].

mod jsonl;
mod text;

use std::path::Path;

use crate::{Error, Options, Result};

/// Texts of one file in reading order.
pub type Texts = Box<dyn Iterator<Item = Result<String>> + Send>;

/// A file format that holds documents.
pub trait Format: Sync {
    /// The name users see.
    fn name(&self) -> &'static str;

    /// What it is, in one line.
    fn summary(&self) -> &'static str;

    /// The extensions that choose it, in lower case without the dot; `""` for none at all.
    fn extensions(&self) -> &'static [&'static str];

    /// Refuses options that do not apply to the format.
    ///
    /// # Errors
    /// [`Error::Option`].
    fn check(&self, path: &Path, options: &Options) -> Result<()>;

    /// Opens a file. Texts of white space alone are left out.
    ///
    /// # Errors
    /// When the file cannot be opened; what is wrong further in is found as the texts are read.
    fn texts(&self, path: &Path, options: &Options) -> Result<Texts>;
}

/// Every format, in the order they are listed to users.
pub const FORMATS: &[&dyn Format] = &[&text::Text, &jsonl::JsonLines];

/// The format that claims the extension of `path`.
///
/// # Errors
/// [`Error::UnknownFormat`] with the formats there are.
pub fn find(path: &Path) -> Result<&'static dyn Format> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let claims = |format: &&&dyn Format| format.extensions().contains(&extension.as_str());
    FORMATS.iter().find(claims).copied().ok_or_else(|| Error::UnknownFormat {
        path: path.into(),
        known: known(),
        hint: way_out(&extension),
    })
}

fn known() -> String {
    let dotted = |extension: &&str| format!(".{extension}");
    let describe = |format: &&dyn Format| {
        let named = format.extensions().iter().filter(|e| !e.is_empty());
        format!("{} ({})", format.name(), named.map(dotted).collect::<Vec<_>>().join(" "))
    };
    FORMATS.iter().map(describe).collect::<Vec<_>>().join(", ")
}

fn way_out(extension: &str) -> &'static str {
    match extension {
        "json" => "; write one JSON object per line and name the file .jsonl",
        "gz" | "zst" | "bz2" | "xz" | "zip" => "; decompress it first",
        "parquet" | "arrow" | "csv" | "tsv" => "; convert it to .jsonl",
        _ => "; if it is plain text, name it .txt",
    }
}
