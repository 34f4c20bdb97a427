//! Cycles among the files of a crate: files that import from each other, directly or through others.
//!
//! Invariant: no crate has one that [`KNOWN`] does not name with its reason.
//!
//! A file imports what its `use` items and `crate::` paths name. Re-exports are followed to the file that they come from, and
//! are no imports of the file that has them; test modules do not count, and neither do arrows between a module and one inside
//! it, which are one thing to others.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;
use super::{expect_none, files, read};

/// A circle that stays: the source folder of its crate, all of its files, and why.
type Known = (&'static str, &'static [&'static str], &'static str);

/// The circles that stay; the list may only shrink.
const KNOWN: [Known; 5] = [
    (
        "dialects/formats/src",
        &["error.rs", "fields.rs", "format.rs", "methods/mod.rs", "parameter.rs", "spec.rs", "table.rs"],
        "a method has parameters and fields, and each of these names the methods that it is for",
    ),
    (
        "dialects/ir/src",
        &["block.rs", "operation.rs", "value.rs"],
        "operations, blocks and values contain or use each other, in MLIR as well",
    ),
    (
        "dialects/ir/src",
        &["diagnostic.rs", "location.rs"],
        "a diagnostic is emitted at a location, and has locations",
    ),
    (
        "dialects/ir/src",
        &["pass.rs", "pipeline.rs", "raw/pass.rs"],
        "MLIR is handed passes, and a pass that runs is handed the context which MLIR gave",
    ),
    (
        "dialects/isa/src",
        &["footprint.rs", "rules.rs", "schedule.rs", "slots.rs", "table.rs", "violation.rs", "weights.rs"],
        "a row of the table names its rules and sizes, which are functions of the instruction that the row declares",
    ),
];

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

    /// The circles: of each, all files from which every other one is reached.
    fn circles(&self) -> BTreeSet<BTreeSet<&str>> {
        let mut reached: BTreeMap<&Path, BTreeSet<Path>> = BTreeMap::new();
        for (module, file) in &self.0 {
            let found = file.imports.iter().filter_map(|path| self.resolve(module, path, 0));
            let others = found.filter(|to| !to.starts_with(module) && !module.starts_with(to));
            reached.insert(module, others.collect());
        }
        for through in self.0.keys() {
            let further = reached.get(through).cloned().unwrap_or_default();
            for to in reached.values_mut().filter(|to| to.contains(through)) {
                to.extend(further.iter().cloned());
            }
        }
        let meets = |a: &Path, b: &Path| reached[&a].contains(b) && reached[&b].contains(a);
        let circle = |at: &Path| {
            let others = self.0.iter().filter(|(other, _)| meets(at, other));
            others.map(|(_, file)| file.name.as_str()).collect::<BTreeSet<_>>()
        };
        self.0.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
    }
}

#[test]
fn no_files_import_from_each_other() {
    let (mut faults, mut needed) = (Vec::new(), BTreeSet::new());
    let crates = files("").into_iter().filter(|name| name.ends_with("src/lib.rs"));
    let folders: Vec<String> = crates.map(|name| name.trim_end_matches("/lib.rs").to_owned()).collect();
    assert!(folders.len() > KNOWN.len());
    for folder in &folders {
        let modules = Modules::of(folder);
        for circle in modules.circles() {
            let circle: Vec<&str> = circle.iter().map(|name| &name[folder.len() + 1..]).collect();
            match KNOWN
                .iter()
                .find(|(of, known, _)| of == folder && circle.iter().all(|name| known.contains(name)))
            {
                None => faults.push(format!("{folder}: {circle:?} import from each other")),
                Some((_, known, _)) if known.len() > circle.len() => {
                    faults.push(format!("{folder}: of {known:?} only {circle:?} import from each other"));
                    needed.insert(known.join(", "));
                }
                Some((_, known, _)) => _ = needed.insert(known.join(", ")),
            }
        }
    }
    let names = KNOWN.map(|(_, known, _)| known.join(", "));
    expect_none(faults, names.iter().map(String::as_str), &needed);
}

#[test]
fn circles_are_found_through_groups_and_reexports() {
    let circles = |files: &[(&str, &str)]| -> Vec<String> {
        let files = files.iter().map(|(name, text)| (module(name), File::new(name, text)));
        Modules(files.collect()).circles().into_iter().flatten().map(str::to_owned).collect()
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
