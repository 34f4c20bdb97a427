//! Locations, and diagnostics emitted at them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use strum_ir::{Context, Error, Location, Module, Severity};

#[test]
fn locations_describe_themselves() {
    let context = Context::new();
    let unknown = Location::unknown(&context);
    let file = Location::file(&context, "a.mlir", 3, 14);
    let other = Location::file(&context, "b.mlir", 1, 1);
    let named = Location::named("conv1", file);
    assert_eq!(unknown.describe(), "?");
    assert_eq!(file.describe(), "a.mlir:3:14");
    assert_eq!(named.describe(), "conv1@a.mlir:3:14");
    assert_eq!(Location::named("conv1", unknown).describe(), "conv1");
    assert_eq!(
        Location::fused(&context, &[file, named, unknown, file]).describe(),
        "a.mlir:3:14 + conv1@a.mlir:3:14"
    );
    assert_eq!(Location::fused(&context, &[file, other]).parts(), Some(vec![file, other]));
    assert_eq!((Location::fused(&context, &[file]), Location::fused(&context, &[])), (file, unknown));
    assert_eq!(file.parts(), None);
}

#[test]
fn captured_diagnostics_have_notes() {
    let context = Context::new();
    let here = Location::file(&context, "a.mlir", 1, 2);
    let there = Location::file(&context, "a.mlir", 3, 4);
    let ((), diagnostics) = context.handle().capture(|| {
        let _reported =
            here.diagnostic(Severity::Error, "wrong").note(there, "because").note(here, "and").fail();
        here.warning("doubtful");
        here.remark("by the way");
        here.diagnostic(Severity::Warning, "with a note").note(there, "n").emit();
    });
    let text: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "a.mlir:1:2: error: wrong\na.mlir:3:4: note: because\na.mlir:1:2: note: and",
            "a.mlir:1:2: warning: doubtful",
            "a.mlir:1:2: remark: by the way",
            "a.mlir:1:2: warning: with a note\na.mlir:3:4: note: n",
        ]
    );
}

#[test]
fn errors_of_the_parser_have_a_place() {
    let context = Context::new();
    let text = "func.func @f() {\n  return %x : i8\n}\n";
    let (result, diagnostics) =
        context.handle().capture(|| Module::parse(&context, text.as_bytes(), "bad.mlir").map(drop));
    assert_eq!(result, Err(Error::Reported));
    assert_eq!(diagnostics[0].to_string(), "bad.mlir:2:10: error: use of undeclared SSA value name");
}

#[test]
fn any_bytes_parse_or_fail() {
    let context = Context::new();
    for bytes in
        [&b""[..], b"\0", b"\xff\xfe", b"module {", b"ML\xefR", b"ML\xefR\x0d\0\0\0", b"func.func @\0f()"]
    {
        let (result, diagnostics) =
            context.handle().capture(|| Module::parse(&context, bytes, "x").map(drop));
        assert_eq!(result.is_err(), !diagnostics.is_empty(), "{bytes:?} {diagnostics:?}");
    }
}

#[test]
fn a_panic_detaches_the_handler() {
    let context = Context::new();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        context.handle().capture(|| panic!("stop"))
    }));
    assert!(result.is_err());
    let ((), diagnostics) = context.handle().capture(|| Location::unknown(&context).warning("still here"));
    assert_eq!(diagnostics.len(), 1);
}
