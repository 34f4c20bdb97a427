//! The list of passes, with registration and the reference page derived from it.

#[cfg(test)]
use strum_ir::PassOption;

/// Declares [`crate::PASSES`] and [`crate::register_passes`] from one list.
macro_rules! passes {
    ($($level:ident :: $module:ident :: $pass:ident),* $(,)?) => {
        /// The reference of every pass, in the order of the pipeline.
        pub const PASSES: &[PassDoc] = &[$($crate::PassDoc::of::<$level::$module::$pass>()),*];

        /// Registers every pass and the pipeline with MLIR. May be called repeatedly.
        pub fn register_passes() {
            static ONCE: std::sync::Once = std::sync::Once::new();
            ONCE.call_once(|| {
                $(strum_ir::register_pass::<$level::$module::$pass>();)*
                $crate::pipeline::register();
            });
        }
    };
}
pub(crate) use passes;

/// The reference page, `docs/passes.md`.
#[cfg(test)]
fn page() -> String {
    let mut page = String::from(
        "# Passes\n\n\
         <!-- Written from the passes themselves; `STRUM_BLESS=1 cargo test -p strum-passes` brings it up to date. -->\n\n\
         All passes work in `strum-opt`, in the order given, besides MLIR's own. `--strum-log=debug` reports why a pass does not\n\
         apply at a location.\n",
    );
    for pass in crate::PASSES {
        page.push_str(&format!(
            "\n## `--{}`\n\n{}. Runs on `{}`.\n\n",
            pass.argument, pass.description, pass.root
        ));
        page.push_str(pass.doc);
        page.push('\n');
        let options = (pass.options)();
        if !options.is_empty() {
            page.push_str("\n| option | values | default | meaning |\n|---|---|---|---|\n");
        }
        for PassOption { name, help, expected, default, .. } in options {
            let default = if default.is_empty() { "(empty)".into() } else { format!("`{default}`") };
            page.push_str(&format!("| `{name}` | {expected} | {default} | {help} |\n"));
        }
        page.push('\n');
        page.push_str(&crate::example::example(pass.argument));
    }
    page
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn page_is_up_to_date() {
        crate::docs::expect_page("passes.md", &super::page());
    }

    #[test]
    fn every_pass_has_its_folders() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for pass in crate::PASSES {
            let folder = pass.argument.replace('-', "_");
            let of_level = |level| root.join("src").join(level).join(&folder).join("mod.rs").is_file();
            assert!(["float", "tosa", "strum", "dpu"].into_iter().any(of_level), "{folder}");
            let lit = root.join("../../lit/passes").join(pass.argument);
            assert!(lit.is_dir(), "{}", lit.display());
            assert!(!pass.doc.is_empty() && !pass.description.ends_with('.'), "{}", pass.argument);
        }
    }
}
