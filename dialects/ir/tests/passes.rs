//! Passes and pipelines written in Rust, run by MLIR.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::{Mutex, Once};

use strum_ir::{
    Attribute, Captured, Context, Dialect, Error, Location, Module, OpBuilder, Operation, OptionSet, Pass,
    PassContext, PassError, Passes, Pipeline, Severity, pass_options, register_pass, register_pipeline,
};

pass_options! {
    /// Writes its options to an attribute.
    struct Mark {
        flag("flag"): bool = true, "a flag";
        number("number"): u64 = 3, "a number";
        share("share"): f64 = 0.5, in 0.0..=1.0, "a share";
        text("text"): String = "none".to_owned(), "a text";
    }
}

impl Pass for Mark {
    const ARGUMENT: &'static str = "test-mark";
    const DESCRIPTION: &'static str = "test";
    const ROOT: &'static str = "func.func";
    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let Mark { flag, number, share, text } = self;
        let mark = format!("{flag} {number} {share} {text:?}");
        op.set_attribute("mark", Attribute::string(op.context(), &mark));
        Ok(())
    }
}

pass_options! {
    /// A mark with a number, through a pipeline.
    struct Marks {
        ..mark: Mark;
    }
}

impl Pipeline for Marks {
    const ARGUMENT: &'static str = "test-pipeline";
    const DESCRIPTION: &'static str = "test";
    fn passes(&self) -> Passes {
        assert_ne!(self.mark.text, "panic", "no pipeline");
        let mark = Mark { number: 7, ..self.mark.clone() };
        Passes::new().then_nested("func.func", Passes::new().then(mark)).then_mlir("canonicalize")
    }
}

pass_options! {
    /// Fails in every possible way, selected by an option.
    struct Fail {
        how("how"): String = "not".to_owned(), "how";
    }
}

impl Pass for Fail {
    const ARGUMENT: &'static str = "test-fail";
    const DESCRIPTION: &'static str = "test";
    const ROOT: &'static str = "func.func";
    fn run<'c>(&self, op: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError> {
        let inner = op
            .body()
            .and_then(|body| body.operations().first().copied())
            .ok_or(PassError::Internal("empty".into()))?;
        match self.how.as_str() {
            "report" => {
                let note = op.location();
                return Err(inner
                    .diagnostic(Severity::Error, "is not supported")
                    .note(note, "in here")
                    .fail()
                    .into());
            }
            "panic" => panic!("index {} is out of reach", 7),
            "unknown" => {
                OpBuilder::new("spirv.Return", op.location()).insert_before(inner)?;
            }
            "erase" => {
                inner.erase()?;
            }
            "invalid" => {
                op.set_attribute("function_type", Attribute::bool(op.context(), true));
            }
            _ => cx.mark_unchanged(),
        }
        Ok(())
    }
}

pass_options! {
    /// Creates constants of a dialect that the input does not use.
    struct Make;
}

impl Pass for Make {
    const ARGUMENT: &'static str = "test-make";
    const DESCRIPTION: &'static str = "test";
    const DIALECTS: &'static [Dialect] = &[Dialect::Arith];
    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let context = op.context();
        for function in op.walk_named("func.func") {
            let first = function
                .body()
                .and_then(|body| body.operations().first().copied())
                .ok_or(PassError::Internal("empty".into()))?;
            for _ in 0..2 {
                OpBuilder::new("arith.constant", function.location())
                    .attribute("value", Attribute::i32(context, 1))
                    .result(strum_ir::Type::int(context, 32))
                    .insert_before(first)?;
            }
        }
        Ok(())
    }
}

static THREADS: Mutex<Vec<std::thread::ThreadId>> = Mutex::new(Vec::new());

pass_options! {
    /// Records its thread and erases every unused operation one by one, which tests the graveyard on MLIR's threads.
    struct Threads;
}

impl Pass for Threads {
    const ARGUMENT: &'static str = "test-threads";
    const DESCRIPTION: &'static str = "test";
    const ROOT: &'static str = "func.func";
    fn run<'c>(&self, op: Operation<'c>, _: &PassContext<'c>) -> Result<(), PassError> {
        let erased: Vec<_> = op.walk_named("arith.constant");
        for op in &erased {
            op.erase()?;
        }
        assert!(erased.iter().all(|op| op.block().is_none() && op.int_attr("value").is_some()));
        std::thread::sleep(std::time::Duration::from_millis(20));
        THREADS.lock().unwrap().push(std::thread::current().id());
        Ok(())
    }
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        register_pass::<Mark>();
        register_pass::<Fail>();
        register_pass::<Make>();
        register_pass::<Threads>();
        register_pipeline::<Marks>();
    });
}

/// Runs a pipeline on one function, and returns the mark of the module's function, or the diagnostics.
fn run(pipeline: &str) -> Result<Option<String>, (Error, Vec<Captured>)> {
    register();
    run_by(|module| module.run(pipeline))
}

fn run_by(
    body: impl FnOnce(&mut Module<'_>) -> Result<(), Error>,
) -> Result<Option<String>, (Error, Vec<Captured>)> {
    let context = Context::new();
    let text = "func.func @f(%a: i32) {\n  func.call @f(%a) : (i32) -> ()\n  return\n}\n";
    let mut module = Module::parse(&context, text.as_bytes(), "f.mlir").unwrap();
    let (result, diagnostics) = context.handle().capture(|| body(&mut module));
    match result {
        Ok(()) => Ok(module.symbol("f").unwrap().str_attr("mark").map(str::to_owned)),
        Err(error) => Err((error, diagnostics)),
    }
}

fn failure(how: &str) -> Vec<Captured> {
    let (error, diagnostics) = run(&format!("func.func(test-fail{{how={how}}})")).unwrap_err();
    assert_eq!(error, Error::Reported);
    diagnostics
}

#[test]
fn options_and_their_defaults() {
    assert_eq!(run("func.func(test-mark)").unwrap().unwrap(), "true 3 0.5 \"none\"");
    let all = "func.func(test-mark{flag=false number=12345678901 share=0.25 text=a,b})";
    assert_eq!(run(all).unwrap().unwrap(), "false 12345678901 0.25 \"a,b\"");
}

#[test]
fn pipelines_take_options() {
    assert_eq!(run("test-pipeline").unwrap().unwrap(), "true 7 0.5 \"none\"");
    assert_eq!(run("test-pipeline{text=x}").unwrap().unwrap(), "true 7 0.5 \"x\"");
    assert_eq!(run("test-pipeline{text={x y}}").unwrap().unwrap(), "true 7 0.5 \"x y\"");
    let message = |pipeline: &str| match run(pipeline).unwrap_err() {
        (Error::Pipeline(message), _) => message,
        other => panic!("{other:?}"),
    };
    let expect = |pipeline: &str, text: &str| {
        let message = message(pipeline);
        assert!(message.contains(text), "{pipeline}: {message}");
    };
    expect("test-pipeline{share=2}", "option 'share' of test-pipeline must be a number from 0 to 1, got '2'");
    expect("test-pipeline{text=panic}", "internal error: this is a bug in strum-opt: ");
    expect("test-pipeline{txt=1}", "unknown option 'txt' of test-pipeline; did you mean 'text'?");
    expect("func.func(test-mark{numbr=1})", "unknown option 'numbr' of test-mark; did you mean 'number'?");
    expect("func.func(test-mark{number=1 number=1})", "option 'number' of test-mark is given twice");
    expect("test-make{x=1}", "unknown option 'x' of test-make; it has no options");
    expect("no-such-pass", "'no-such-pass' does not refer to a registered pass");
    expect("func.func(test-mark", "unbalanced parentheses");
}

#[test]
fn passes_run_with_values() {
    let mark = Mark { share: 0.123_456_789_012_345_6, text: "a b".into(), ..Mark::default() };
    let passes = Passes::new().then_nested("func.func", Passes::new().then(mark.clone()).then_mlir("cse"));
    let text = "func.func(test-mark{share=0.1234567890123456 text={a b}},cse)";
    assert_eq!(passes.to_string(), text);
    let expected = "true 3 0.1234567890123456 \"a b\"";
    assert_eq!(run_by(|module| module.run_passes(&passes)).unwrap().unwrap(), expected);
    assert_eq!(run(text).unwrap().unwrap(), expected);
    assert_eq!(Mark::parse("test-mark", &mark.text()), Ok(mark.clone()));
    // A pass for functions, on a module.
    let wrong = Passes::new().then_nested("builtin.module", Passes::new().then(mark));
    match run_by(|module| module.run_passes(&wrong)).unwrap_err() {
        (Error::Pipeline(message), _) => assert_eq!(
            message,
            "Can't add pass 'test-mark' restricted to 'func.func' on a PassManager intended to run on \
             'builtin.module', did you intend to nest?"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn failures_are_reported_where_they_are() {
    let [diagnostic] = &failure("report")[..] else { panic!() };
    assert_eq!(
        diagnostic.to_string(),
        "f.mlir:2:3: error: 'func.call' op is not supported\nf.mlir:1:1: note: in here"
    );
    assert_eq!(run("func.func(test-fail)"), Ok(None));
}

#[test]
fn bugs_are_internal_errors() {
    let expected = [
        ("panic", "index 7 is out of reach"),
        ("unknown", "operation 'spirv.Return' is not known: its dialect is not loaded"),
    ];
    for (how, text) in expected {
        let diagnostics = failure(how);
        let [diagnostic] = &diagnostics[..] else { panic!("{diagnostics:?}") };
        assert_eq!(diagnostic.location, "f.mlir:1:1");
        assert!(
            diagnostic.message.starts_with("internal error: this is a bug in strum-opt: "),
            "{diagnostic}"
        );
        assert!(diagnostic.message.contains(text), "{diagnostic}");
    }
}

#[test]
fn what_a_pass_leaves_is_verified() {
    let diagnostics = failure("invalid");
    assert!(diagnostics[0].message.contains("function_type"), "{diagnostics:?}");
    assert!(run("func.func(test-fail{how=erase})").is_ok());
}

#[test]
fn passes_make_operations_of_dialects_that_they_declare() {
    assert_eq!(run("test-make,func.func(cse),canonicalize"), Ok(None));
}

#[test]
fn functions_run_on_several_threads() {
    register();
    let context = Context::new();
    let function = |i: usize| {
        format!(
            "func.func @f{i}() {{\n  %0 = arith.constant 1 : i32\n  %1 = arith.constant 2 : i32\n  return\n}}\n"
        )
    };
    let text: String = (0..16).map(function).collect();
    let mut module = Module::parse(&context, text.as_bytes(), "many.mlir").unwrap();
    module.run("func.func(test-threads)").unwrap();
    assert!(module.op().walk_named("arith.constant").is_empty());
    assert_eq!(THREADS.lock().unwrap().len(), 16);
    assert!(Module::empty(Location::unknown(&context)).run("canonicalize").is_ok());
}
