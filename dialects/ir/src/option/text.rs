//! `name=value …`, as MLIR writes the options of a pass.

/// The names and values of options; a name without `=` has no value. Values lose the quotation marks or braces around them.
///
/// # Errors
/// The quotation mark or brace that is not closed.
pub(super) fn split(mut text: &str) -> Result<Vec<(&str, Option<&str>)>, char> {
    let mut words = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return Ok(words);
        }
        let (word, rest) = text.split_at(end(text)?);
        text = rest;
        words.push(word.split_once('=').map_or((word, None), |(name, value)| (name, Some(inside(value)))));
    }
}

/// The length of the first word: up to a blank outside quotation marks and braces.
fn end(text: &str) -> Result<usize, char> {
    let (mut quote, mut depth) = (None, 0usize);
    for (index, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth = depth.saturating_sub(1),
            (None, _) if c.is_whitespace() && depth == 0 => return Ok(index),
            (None, _) => {}
        }
    }
    match (quote, depth) {
        (Some(open), _) => Err(open),
        (None, 0) => Ok(text.len()),
        (None, _) => Err('{'),
    }
}

/// Whether a value can be printed: MLIR prints it bare, or in braces if it has blanks, and knows no escapes.
pub(super) fn is_printable(value: &str) -> bool {
    !value.contains(|c: char| "'\"{}".contains(c) || c != ' ' && c.is_whitespace())
}

/// A value without the quotation marks or braces around it.
fn inside(value: &str) -> &str {
    let quoted = ['\'', '"'].into_iter().find_map(|mark| {
        let inner = value.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inner.contains(mark)).then_some(inner)
    });
    quoted.or_else(|| braced(value)).unwrap_or(value)
}

/// The contents of braces that close at the end and not before.
fn braced(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('{')?.strip_suffix('}')?;
    let mut depth = 0usize;
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    Some(inner)
}

/// A printable value as [`split`] reads it.
pub(super) fn quoted(value: &str) -> String {
    if value.contains(' ') { format!("{{{value}}}") } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(&str, Option<&str>)> {
        split(text).unwrap()
    }

    #[test]
    fn words_end_at_blanks_outside_of_marks() {
        assert_eq!(words(" a=1  b c= "), [("a", Some("1")), ("b", None), ("c", Some(""))]);
        assert_eq!(
            words("a='x y' b=\"{\" c={1 {2 3}}"),
            [("a", Some("x y")), ("b", Some("{")), ("c", Some("1 {2 3}"))]
        );
        assert_eq!(words("a={1},{2}"), [("a", Some("{1},{2}"))]);
        assert_eq!(words("a=b=c"), [("a", Some("b=c"))]);
    }

    #[test]
    fn what_is_not_closed_is_an_error() {
        assert_eq!(split("a='x y"), Err('\''));
        assert_eq!(split("a={x y"), Err('{'));
        assert_eq!(words("}a b"), [("}a", None), ("b", None)]);
    }
}
