//! Text handled as Python handles it, where the harness relies on that.

/// Whether Python counts a character as white space.
pub(crate) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\x1c'..='\x1f').contains(&letter)
}

/// `str.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `str.lstrip()`.
pub(crate) fn strip_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// `str.rstrip()`.
pub(crate) fn strip_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// `str.capitalize()`: the first letter large, all others small.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.collect::<String>() + &letters.as_str().to_lowercase()
}

/// The first letter small.
pub(crate) fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_lowercase).into_iter().flatten();
    first.collect::<String>() + letters.as_str()
}

/// The text without what stands in square brackets on one line: `re.sub(r"\[.*?\]", "", text)`.
pub(crate) fn without_brackets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let close = rest[open..].find(']').map(|close| open + close);
        let close = close.filter(|&close| !rest[open..close].contains('\n'));
        let (before, after) = match close {
            Some(close) => (&rest[..open], &rest[close + 1..]),
            None => rest.split_at(open + 1),
        };
        kept.push_str(before);
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_handled_as_python_does() {
        assert_eq!(strip("\x1d a b\u{3000}\n"), "a b");
        assert_eq!((strip_start(" a "), strip_end(" a \n")), ("a ", " a"));
        assert_eq!(capitalised("then He ran"), "Then he ran");
        assert_eq!((capitalised(""), uncapitalised("")), (String::new(), String::new()));
        assert_eq!(uncapitalised("The Water"), "the Water");
        assert_eq!(without_brackets("a [b] c [[d]] [e\nf] ["), "a  c ] [e\nf] [");
    }
}
