//! File formats: one file each.
//!
//! To add a format, write its file and add its line to [`FORMATS`].

mod arrow;
mod columns;
pub(crate) mod json;
pub(crate) mod jsonl;
mod parquet;
pub(crate) mod text;

use std::path::Path;

use crate::{
    Error, Options, Result,
    input::uncompressed_name,
    records::{Item, Rows},
};

/// What a file says, in reading order. After an error that [concerns one
/// record](Error::concerns_one_record) the next record comes; after any other, nothing.
pub type Items = Box<dyn Iterator<Item = Result<Item>> + Send>;

/// A file format that holds documents.
pub trait Format: Sync {
    /// The name users see.
    fn name(&self) -> &'static str;

    /// What it is, in one line.
    fn summary(&self) -> &'static str;

    /// The extensions that choose it, in lower case without the dot; `""` for none at all.
    fn extensions(&self) -> &'static [&'static str];

    /// Whether a file holds records with fields rather than plain text.
    fn has_fields(&self) -> bool {
        true
    }

    /// Opens a file. Texts of white space alone are left out.
    ///
    /// # Errors
    /// When the file cannot be opened; what is wrong further in is found as the texts are read.
    fn items(&self, path: &Path, options: &Options) -> Result<Items>;

    /// Opens a file as records with all their fields.
    ///
    /// # Errors
    /// When the file cannot be opened, or the format has no fields.
    fn rows(&self, path: &Path) -> Result<Box<dyn Rows>>;
}

/// Every format, in the order they are listed to users.
pub const FORMATS: &[&dyn Format] =
    &[&text::Text, &jsonl::JsonLines, &json::Json, &parquet::Parquet, &arrow::Arrow];

/// The format that claims the extension of `path`, which may be compressed (`.gz`, `.zst`).
///
/// # Errors
/// [`Error::UnknownFormat`] with the formats there are.
pub fn find(path: &Path) -> Result<&'static dyn Format> {
    let name = uncompressed_name(path);
    let extension = name.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let claims = |format: &&&dyn Format| format.extensions().contains(&extension.as_str());
    FORMATS.iter().find(claims).copied().ok_or_else(|| Error::UnknownFormat {
        path: path.into(),
        known: known(),
        hint: way_out(&extension),
    })
}

/// The records of a file with all their fields, in order.
///
/// # Errors
/// When no format claims the file, the format has no fields, or the file cannot be opened.
pub fn rows(path: &Path) -> Result<Box<dyn Rows>> {
    find(path)?.rows(path)
}

/// The name of a file of records without its extensions; `None` where no format with fields claims it.
pub fn record_name(path: &Path) -> Option<String> {
    let format = find(path).ok()?;
    let name = uncompressed_name(path);
    let stem = name.file_stem()?.to_str()?;
    format.has_fields().then(|| stem.to_owned())
}

/// Refuses options that do not apply to the format.
///
/// # Errors
/// [`Error::Option`].
pub(crate) fn check(format: &dyn Format, path: &Path, options: &Options) -> Result<()> {
    let refuse = |option, applies| {
        let format = format.name();
        Err(Error::Option { path: path.into(), option, applies, format })
    };
    match format.has_fields() {
        true if options.split.is_some() => refuse("split", "plain text"),
        false if options.field.is_some() => refuse("field", "files of records"),
        _ => Ok(()),
    }
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
        "bz2" | "xz" | "zip" | "tar" | "7z" => {
            "; decompress it first, or compress it with gzip or zstd"
        }
        "csv" | "tsv" => "; convert it to .jsonl",
        _ => "; if it is plain text, name it .txt",
    }
}
