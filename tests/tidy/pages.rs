//! Rules for documents: links to them, their width, how they are generated, and what they must name.
//!
//! Invariant: pages are found by their extension, so that these rules apply to new ones without listing them.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{ends_in, expect_none, files, read};

/// Maximum columns of a line of prose.
const COLUMNS: usize = 140;

/// All documents of the repository: path and text.
fn pages() -> Vec<(String, String)> {
    files("")
        .into_iter()
        .filter(|path| path.ends_with(".md"))
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

/// The target of every link in a document, without its anchor.
pub(super) fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|link| !link.is_empty() && !link.contains("://"))
}

/// The command that generates a page: what follows `STRUM_BLESS=1` in the comment at its top.
fn command(text: &str) -> Option<&str> {
    let comment = text.lines().take(3).find(|line| line.starts_with("<!--"))?;
    comment.split_once("STRUM_BLESS=1 ")?.1.split('`').next()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::ParentDir => _ = plain.pop(),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
        plain
    })
}

#[test]
fn every_page_of_docs_is_linked_from_another() {
    let pages = pages();
    let mut linked = BTreeSet::new();
    for (path, text) in &pages {
        let folder = Path::new(path).parent().unwrap();
        let targets = links(text).map(|link| plain(&folder.join(link)));
        linked.extend(targets.filter(|target| target != Path::new(path)));
    }
    let alone =
        pages.iter().filter(|(path, _)| path.starts_with("docs/") && !linked.contains(Path::new(path)));
    expect_none(
        alone.map(|(path, _)| format!("{path}: no page has a link to it")).collect(),
        [],
        &BTreeSet::new(),
    );
}

#[test]
fn prose_is_narrow() {
    let mut faults = Vec::new();
    for (path, text) in pages().iter().filter(|(_, text)| command(text).is_none()) {
        let mut is_code = false;
        for (number, line) in text.lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            let columns = line.chars().count();
            if columns > COLUMNS && !is_code && !line.starts_with('|') {
                faults.push(format!("{path}:{}: {columns} columns, at most {COLUMNS}", number + 1));
            }
        }
    }
    expect_none(faults, [], &BTreeSet::new());
}

#[test]
fn generated_pages_are_made_by_a_test_that_exists_and_are_listed() {
    let listed = read("CONTRIBUTING.md");
    let (mut faults, mut generated) = (Vec::new(), 0);
    for (path, text) in pages().iter().filter(|(path, _)| path.starts_with("docs/")) {
        let Some(command) = command(text) else { continue };
        generated += 1;
        let after = |option: &str| command.split_once(option).map(|(_, rest)| super::source::word(rest));
        let package = after("-p ").unwrap_or_default();
        let manifest = files("")
            .into_iter()
            .filter(|path| path.ends_with("Cargo.toml"))
            .find(|path| read(path).contains(&format!("name = \"{package}\"")));
        let test = after("--test ").map(|test| format!("tests/{test}.rs"));
        let exists = manifest.is_some_and(|manifest| {
            let folder = super::root().join(manifest.trim_end_matches("Cargo.toml"));
            test.is_none_or(|test| folder.join(test).is_file())
        });
        if !exists {
            faults.push(format!("{path}: nothing is made by {command}"));
        }
        if !listed.contains(&format!("`{path}`")) {
            faults.push(format!("CONTRIBUTING.md: {path} is generated and not listed"));
        }
    }
    assert!(generated > 3, "{generated} pages say how they are made");
    expect_none(faults, [], &BTreeSet::new());
}

#[test]
fn architecture_names_every_pass() {
    let text = read("ARCHITECTURE.md");
    let cases = files("lit/passes");
    let passes: BTreeSet<&str> = cases.iter().filter_map(|path| path.split('/').nth(2)).collect();
    let missing = passes.iter().filter(|pass| !text.contains(&format!("`{pass}`")));
    expect_none(missing.map(|pass| format!("ARCHITECTURE.md: no {pass}")).collect(), [], &BTreeSet::new());
}

#[test]
fn scripts_say_what_they_are() {
    let mut faults = Vec::new();
    for path in files("").iter().filter(|path| !path.starts_with("models/")) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_script = !name.contains('.') && path.starts_with("tools/") && name != "LICENSE";
        if !is_script && !ends_in(path, &[".py", ".sh", ".td"]) {
            continue;
        }
        let text = read(path);
        let is_empty = text.trim().is_empty();
        let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        if !is_empty && !["#", "//", "\"\"\""].iter().any(|mark| first.starts_with(mark)) {
            faults.push(format!("{path}: does not open with what it is"));
        }
    }
    expect_none(faults, [], &BTreeSet::new());
}
