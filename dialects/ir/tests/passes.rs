//! Passes and pipelines written in Rust, run by MLIR.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::{Mutex, Once};

use strum_ir::{
    Attribute, Captured, Context, Dialect, Error, Location, Module, OpBuilder, Operation, Options, Pass,
    PassContext, PassError, PassOption, Pipeline, Severity, register_pass, register_pipeline,
};

const OPTIONS: &[PassOption] = &[
    PassOption::bool("flag", true, "a flag"),
    PassOption::int("number", -3, "a number"),
    PassOption::float("share", 0.5, "a share"),
    PassOption::string("text", "none", "a text"),
];

fn describe(options: &Options<'_>) -> Result<String, Error> {
    Ok(format!(
        "{} {} {} {:?}",
        options.bool("flag")?,
        options.int("number")?,
        options.float("share")?,
        options.string("text")?
    ))
}

/// Writes its options to an attribute.
struct Mark;
impl Pass for Mark {
    const ARGUMENT: &'static str = "test-mark";
    const DESCRIPTION: &'static str = "test";
    const ROOT: &'static str = "func.func";
    const OPTIONS: &'static [PassOption] = OPTIONS;
    fn run<'c>(&self, op: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError> {
        op.set_attribute("mark", Attribute::string(op.context(), &describe(&cx.options())?));
        Ok(())
    }
}

/// Fails in the ways there are, chosen by an option.
struct Fail;
impl Pass for Fail {
    const ARGUMENT: &'static str = "test-fail";
    const DESCRIPTION: &'static str = "test";
    const ROOT: &'static str = "func.func";
    const OPTIONS: &'static [PassOption] = &[PassOption::string("how", "not", "how")];
    fn run<'c>(&self, op: Operation<'c>, cx: &PassContext<'c>) -> Result<(), PassError> {
        let inner = op
            .body()
            .and_then(|body| body.operations().first().copied())
            .ok_or(PassError::Internal("empty".into()))?;
        match cx.options().string("how")? {
            "report" => {
                let note = op.location();
                return Err(inner
                    .diagnostic(Severity::Error, "is not supported")
                    .note(note, "in here")
                    .fail()
                    .into());
            }
            "panic" => panic!("index {} is out of reach", 7),
            "option" => {
                cx.options().int("how")?;
            }
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

/// Makes constants of a dialect that the input does not hold.
struct Make;
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

/// Records its thread, erases everything that is unused, one by one, and so tests the graveyard on MLIR's threads.
struct Threads;
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
        register_pass(Mark);
        register_pass(Fail);
        register_pass(Make);
        register_pass(Threads);
        register_pipeline(Pipeline {
            argument: "test-pipeline",
            description: "test",
            options: OPTIONS,
            build: |options| match options.string("text").map_err(|error| error.to_string())? {
                "bad" => Err("there is no text 'bad'".into()),
                "panic" => panic!("no pipeline"),
                text => Ok(format!("func.func(test-mark{{text={text} number=7}}),canonicalize")),
            },
        });
    });
}

/// Runs a pipeline on one function, and returns the module's function's mark, or what was said.
fn run(pipeline: &str) -> Result<Option<String>, (Error, Vec<Captured>)> {
    register();
    let context = Context::new();
    let text = "func.func @f(%a: i32) {\n  func.call @f(%a) : (i32) -> ()\n  return\n}\n";
    let mut module = Module::parse(&context, text.as_bytes(), "f.mlir").unwrap();
    let (result, diagnostics) = context.handle().capture(|| module.run(pipeline));
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
    assert_eq!(run("func.func(test-mark)").unwrap().unwrap(), "true -3 0.5 \"none\"");
    let all = "func.func(test-mark{flag=false number=12345678901 share=0.25 text=a,b})";
    assert_eq!(run(all).unwrap().unwrap(), "false 12345678901 0.25 \"a,b\"");
}

#[test]
fn pipelines_take_options() {
    assert_eq!(run("test-pipeline").unwrap().unwrap(), "true 7 0.5 \"none\"");
    assert_eq!(run("test-pipeline{text=x}").unwrap().unwrap(), "true 7 0.5 \"x\"");
    let message = |pipeline| match run(pipeline).unwrap_err() {
        (Error::Pipeline(message), _) => message,
        other => panic!("{other:?}"),
    };
    assert!(message("test-pipeline{text=bad}").contains("there is no text 'bad'"));
    assert!(
        message("test-pipeline{text=panic}")
            .contains("internal error: this is a bug in strum-opt: no pipeline")
    );
    assert!(message("test-pipeline{nope=1}").contains("nope"));
    assert!(message("no-such-pass").contains("'no-such-pass' does not refer to a registered pass"));
    assert!(
        message("func.func(test-mark").contains("unbalanced parentheses"),
        "{}",
        message("func.func(test-mark")
    );
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
        ("option", "there is no integer option 'how'"),
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
