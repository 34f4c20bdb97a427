//! Cycles among the files of a crate: files that import from each other, directly or through others.
//!
//! A file imports the paths in its `use` items and `crate::` paths. Re-exports are followed to the file that they come from, and
//! are not imports of the re-exporting file; test modules do not count, and neither do arrows between a module and one inside it,
//! which are one thing to others.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;
use super::{files, read};

/// Source folders of the crates without cycles; the list may only grow.
const FREE: [&str; 3] = ["passes/float/src", "passes/plan/src", "tools/files/src"];

type Path = Vec<String>;

/// A file of a crate.
struct File {
    name: String,
    /// Paths that it imports.
    imports: Vec<Path>,
    /// Paths that it exports under their last name.
    exports: Vec<Path>,
}

/// The files of a crate by module path.
struct Modules(BTreeMap<Path, File>);

/// The paths of a tree of imports, after `prefix`; what is renamed has its own name.
fn expand(prefix: &[String], tree: &str, paths: &mut Vec<Path>) {
    let tree = tree.trim();
    let (head, group) = match tree.strip_suffix('}').and_then(|tree| tree.split_once('{')) {
        Some((head, group)) => (head, Some(group)),
        None => (tree.split(" as ").next().unwrap_or_default(), None),
    };
    let names = head.split("::").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let path: Path = prefix.iter().cloned().chain(names).collect();
    let Some(group) = group else {
        paths.push(path);
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    expand(&path, &group[start..at], paths);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let source = Source::new(text);
        let code = source.code();
        let mut file = File { name: name.to_owned(), imports: Vec::new(), exports: Vec::new() };
        let is_item = |at: usize| code[..at].ends_with(['\n', ' ', ')']) && !source.is_test(at);
        let mut items = Vec::new();
        for (at, _) in code.match_indices("use ").filter(|&(at, _)| is_item(at)) {
            let end = code[at..].find(';').map_or(code.len(), |length| at + length);
            let line = code[..at].rsplit('\n').next().unwrap_or_default().trim();
            let is_export = line.starts_with("pub");
            if line.is_empty() || is_export {
                let paths = if is_export { &mut file.exports } else { &mut file.imports };
                expand(&[], &code[at + 4..end], paths);
                items.push(at..end);
            }
        }
        let inline = code.match_indices("crate::").map(|(at, _)| at);
        let inline = inline.filter(|at| !source.is_test(*at) && !items.iter().any(|item| item.contains(at)));
        for at in inline {
            let end = code[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            let path = &code[at..end.map_or(code.len(), |length| at + length)];
            expand(&[], path, &mut file.imports);
        }
        file
    }
}

/// The module of a file below a crate's source folder.
fn module(file: &str) -> Path {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let path = if ["lib", "main"].contains(&path) { "" } else { path };
    path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl Modules {
    fn of(folder: &str) -> Self {
        let is_test = |name: &str| name.contains("/tests/") || name.ends_with("tests.rs");
        let sources = files(folder).into_iter().filter(|name| name.ends_with(".rs") && !is_test(name));
        Modules(
            sources.map(|name| (module(&name[folder.len() + 1..]), File::new(&name, &read(&name)))).collect(),
        )
    }

    /// The module that a path in `from` leads to; none for other crates.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<Path> {
        let mut at = from.to_vec();
        let mut rest = path.iter();
        match rest.next()?.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop()?;
            }
            name => {
                at.push(name.to_owned());
                self.0.get(&at)?;
            }
        }
        for name in rest {
            if name == "super" {
                at.pop()?;
                continue;
            }
            let within: Path = at.iter().cloned().chain([name.clone()]).collect();
            if self.0.contains_key(&within) {
                at = within;
                continue;
            }
            let exports = self.0.get(&at).map_or(&[][..], |file| &file.exports);
            let source = exports.iter().find(|path| path.last() == Some(name)).filter(|_| depth < 8);
            return source.and_then(|path| self.resolve(&at, path, depth + 1)).or(Some(at));
        }
        Some(at)
    }

    /// The files in cycles, or between cycles.
    fn circles(&self) -> BTreeSet<&str> {
        let mut arrows: BTreeSet<(&Path, Path)> = BTreeSet::new();
        for (module, file) in &self.0 {
            let found = file.imports.iter().filter_map(|path| self.resolve(module, path, 0));
            let others = found.filter(|to| !to.starts_with(module) && !module.starts_with(to));
            arrows.extend(others.map(|to| (module, to)));
        }
        loop {
            let from: BTreeSet<Path> = arrows.iter().map(|(from, _)| (*from).clone()).collect();
            let to: BTreeSet<Path> = arrows.iter().map(|(_, to)| to.clone()).collect();
            let before = arrows.len();
            arrows.retain(|(f, t)| from.contains(t) && to.contains(*f));
            if arrows.len() == before {
                return arrows.iter().filter_map(|(f, _)| Some(self.0.get(*f)?.name.as_str())).collect();
            }
        }
    }
}

#[test]
fn no_files_import_from_each_other() {
    let mut faults = Vec::new();
    for folder in FREE {
        let modules = Modules::of(folder);
        assert!(modules.0.values().any(|file| !file.imports.is_empty()), "{folder} has imports");
        let circles = modules.circles();
        if !circles.is_empty() {
            faults.push(format!("{folder}: {circles:?} import from each other"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn circles_are_found_through_groups_and_reexports() {
    let circles = |files: &[(&str, &str)]| -> Vec<String> {
        let files = files.iter().map(|(name, text)| (module(name), File::new(name, text)));
        Modules(files.collect()).circles().into_iter().map(str::to_owned).collect()
    };
    let lib = ("lib.rs", "mod a;\nmod b;\nmod c;\npub use b::B;\n");
    let c = ("c/mod.rs", "mod d;\nuse d::D;\nuse crate::a::A;\npub struct C;\n");
    let d = ("c/d.rs", "use super::C;\n// use crate::b::B;\n");
    let used = ("a.rs", "use std::fmt;\nuse crate::{B, c::C as Other};\n");
    assert_eq!(
        circles(&[lib, used, ("b.rs", "fn b() { crate::a::a() }\n"), c, d]),
        ["a.rs", "b.rs", "c/mod.rs"]
    );
    let tested = ("b.rs", "use std::fmt;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n");
    assert_eq!(circles(&[lib, used, tested]), [""; 0]);
}
