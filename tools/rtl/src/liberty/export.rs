//! A library as one Liberty text, without the cells that the mapping leaves alone and without power: what the synthesizer and
//! the timing analysis read, the former once for every module.

use indexmap::IndexMap;

use super::syntax::{Group, parse};
use super::{LibertyError, Library};

impl Library {
    /// The text of the library with its usable cells only. Several files become one.
    ///
    /// # Errors
    ///
    /// [`LibertyError::Template`] where files define a table template differently.
    pub fn export(&self) -> Result<String, LibertyError> {
        let mut text = String::new();
        let mut templates: IndexMap<String, String> = IndexMap::new();
        for (source, original) in self.texts.iter().enumerate() {
            // The text was parsed before.
            let Ok(root) = parse(original) else { continue };
            let slice = |range: std::ops::Range<usize>| original.get(range).unwrap_or_default();
            for group in root.groups.iter().filter(|group| group.name.ends_with("_template")) {
                let name = group.arguments.first().copied().unwrap_or_default();
                let body = slice(group.span.clone());
                match templates.get(name) {
                    Some(known) if known.split_whitespace().eq(body.split_whitespace()) => {}
                    Some(_) => return Err(LibertyError::Template { template: name.to_owned() }),
                    None => {
                        templates.insert(name.to_owned(), body.to_owned());
                        if source > 0 {
                            text.push_str(body);
                            text.push('\n');
                        }
                    }
                }
            }
            let mut from = if source == 0 { root.span.start } else { root.span.end };
            for group in root.all("cell") {
                let name = group.arguments.first().copied().unwrap_or_default();
                if source == 0 {
                    text.push_str(slice(from..group.span.start));
                    from = group.span.end;
                }
                if self.cells.get(name).is_some_and(|cell| cell.unusable.is_none()) {
                    copy(&mut text, original, group);
                    text.push('\n');
                }
            }
            if source == 0 {
                text.push_str(slice(from..root.span.end.saturating_sub(1)));
            }
        }
        text.push_str("}\n");
        Ok(text)
    }
}

/// Copies a group without the power in it.
fn copy(text: &mut String, original: &str, group: &Group<'_>) {
    let mut from = group.span.start;
    for inner in &group.groups {
        text.push_str(original.get(from..inner.span.start).unwrap_or_default());
        from = inner.span.end;
        if !matches!(inner.name, "internal_power" | "leakage_power") {
            copy(text, original, inner);
        }
    }
    text.push_str(original.get(from..group.span.end).unwrap_or_default());
}
