//! Pages of WikiText and the text they stand for, as lm-evaluation-harness's task `wikitext` has them
//! (version 2.0, `preprocess_wikitext.py`).

use std::path::Path;

use crate::Result;
use crate::tasks::text::{is_space, strip};

/// The field of a page in files of records (`EleutherAI/wikitext_document_level`).
const FIELD: &str = "page";

/// The pages of a file: records with a field `page`, or WikiText's own plain text, in which a page
/// begins with its title.
///
/// # Errors
/// When the file cannot be read, or its records have no such field.
pub(super) fn pages(path: &Path) -> Result<Vec<String>> {
    if data::record_name(path).is_none() {
        return Ok(cut(&super::text_of(path)?));
    }
    let options = data::Options { field: Some(FIELD.into()), ..data::Options::default() };
    let pages = data::open(path, &options)?.map(|page| page.map(|page| page.text));
    Ok(pages.collect::<std::result::Result<_, _>>()?)
}

/// Cuts a text before every line ` = Title = `; the way the hub's pages were cut.
fn cut(text: &str) -> Vec<String> {
    let (mut pages, mut page) = (Vec::new(), Vec::new());
    for line in text.split('\n') {
        if is_title(line) {
            pages.push(page.join("\n"));
            page.clear();
        }
        page.push(line);
    }
    pages.push(page.join("\n"));
    pages.retain(|page| !strip(page).is_empty());
    pages
}

/// Whether a line is a title of the first level.
fn is_title(line: &str) -> bool {
    let line = line.replace("= = =", "===").replace("= =", "==");
    let line = strip(&line);
    line.starts_with("= ") && line.ends_with(" =")
}

/// The text without the spaces and marks of WikiText's tokenisation (`wikitext_detokenizer`).
pub(super) fn detokenised(page: &str) -> String {
    const NUMBERS_AND_PUNCTUATION: [(&str, &str); 9] = [
        (" @-@ ", "-"),
        (" @,@ ", ","),
        (" @.@ ", "."),
        (" : ", ": "),
        (" ; ", "; "),
        (" . ", ". "),
        (" ! ", "! "),
        (" ? ", "? "),
        (" , ", ", "),
    ];
    const MISCELLANEOUS: [(&str, &str); 8] = [
        ("= = = =", "===="),
        ("= = =", "==="),
        ("= =", "=="),
        (" \u{b0} ", "\u{b0}"),
        (" \n", "\n"),
        ("\n ", "\n"),
        (" N ", " 1 "),
        (" 's", "'s"),
    ];
    let replaced = |text: String, pairs: &[(&str, &str)]| {
        pairs.iter().fold(text, |text, (from, to)| text.replace(from, to))
    };
    let text = numbers_between_slashes(&page.replace("s '", "s'"));
    let text = replaced(text, &NUMBERS_AND_PUNCTUATION);
    let pairs = [('(', ')'), ('[', ']'), ('{', '}'), ('"', '"'), ('\'', '\'')];
    let text = pairs.into_iter().fold(text, |text, (open, close)| tightened(&text, open, close));
    replaced(text, &MISCELLANEOUS)
}

/// `re.sub(r"/' [0-9]/", r"/'[0-9]/", text)`, which writes the brackets where a digit stood.
fn numbers_between_slashes(text: &str) -> String {
    let mut text = text.to_owned();
    for digit in 0..10 {
        text = text.replace(&format!("/' {digit}/"), "/'[0-9]/");
    }
    text
}

/// No white space inside of pairs: `re.sub(r"\(\s*([^\)]*?)\s*\)", r"(\1)", text)` for `open` and
/// `close`.
fn tightened(text: &str, open: char, close: char) -> String {
    let mut tight = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((inside, after)) = after.split_once(close) else { break };
        tight.push_str(before);
        tight.push(open);
        tight.push_str(inside.trim_matches(is_space));
        tight.push(close);
        rest = after;
    }
    tight + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_with_titles_of_the_first_level() {
        let text =
            " \n = One = \n \n Text . \n = = Part = = \n = = = Sub = = = \n More \n = Two = \n";
        let pages = cut(text);
        assert_eq!(pages.len(), 2);
        assert!(pages[0].starts_with(" = One = \n") && pages[0].ends_with(" More "));
        assert_eq!(pages[1], " = Two = \n");
        assert_eq!(cut("no title"), ["no title"]);
    }

    #[test]
    fn texts_are_those_of_the_harness() {
        // what lm-eval 0.4.13 makes of them
        for (page, expected) in [
            (
                " = = = Sub = = = \n He said , \" well @-@ known 1 @,@ 000 @.@ 5 \" ( see [ 2 ] ) . \n",
                " === Sub ===\nHe said, \"well-known 1,000.5\" (see [2]).\n",
            ),
            (
                "the dogs ' bone 's end ; it 's : ' quoted ' ! or not ? { a b } 20 \u{b0} N of",
                "the dogs'bone's end; it's:' quoted '! or not? {a b} 20\u{b0}N of",
            ),
            (
                "( open [ never closed \" odd \" three \" quotes ( a ( b ) c )",
                "(open [ never closed \"odd\" three \" quotes ( a ( b) c )",
            ),
            (
                "x/' 3/y \n = A = \n\u{2003}( \u{2003}wide\t) . \n  \n",
                "x/'[0-9]/y\n= A =\n\u{2003}(wide).\n\n",
            ),
            ("", ""),
        ] {
            assert_eq!(detokenised(page), expected, "{page}");
        }
    }

    #[test]
    fn records_have_a_page_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pages.jsonl");
        std::fs::write(&path, "{\"page\": \" = A = \\n\"}\n{\"page\": \"b\"}\n").unwrap();
        assert_eq!(pages(&path).unwrap(), [" = A = \n", "b"]);
        std::fs::write(&path, "{\"text\": \"b\"}\n").unwrap();
        assert!(pages(&path).unwrap_err().to_string().contains("no field \"page\""));
    }
}
