//! Runs lit over `lit/`, and counts each of its tests as one. Arguments other than options select tests by a substring of their name.

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// lit's result of one test.
#[derive(serde::Deserialize)]
struct Test {
    name: String,
    code: String,
    output: String,
}

#[derive(serde::Deserialize)]
struct Report {
    tests: Vec<Test>,
}

impl Test {
    fn passed(&self) -> bool {
        matches!(self.code.as_str(), "PASS" | "FLAKYPASS" | "XFAIL")
    }

    fn skipped(&self) -> bool {
        matches!(self.code.as_str(), "UNSUPPORTED" | "SKIPPED" | "EXCLUDED")
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS; // the tests are lit's to list
    }
    let filter = arguments.into_iter().find(|argument| !argument.starts_with('-'));
    match run(filter.as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lit: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs lit; false if a test failed, or none ran although all should.
fn run(filter: Option<&str>) -> Result<bool> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = Path::new(env!("CARGO_BIN_EXE_strum-opt")).parent().ok_or("no folder of programs")?;
    let out = programs.parent().ok_or("no target folder")?;
    let llvm = Path::new(env!("STRUM_LLVM_BINDIR"));
    let report = out.join("lit.json");
    let mut lit = Command::new(llvm.join("lit"));
    lit.arg("--quiet").arg("--output").arg(&report);
    for (name, value) in [("bin", programs), ("llvm", llvm), ("out", out)] {
        lit.arg("--param").arg(format!("{name}={}", value.display()));
    }
    lit.args(filter.iter().flat_map(|filter| ["--filter", filter]));
    let output = lit.arg(root.join("lit")).output()?;
    let text = fs::read_to_string(&report).map_err(|error| {
        format!(
            "no report ({error})\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    fs::remove_file(&report)?; // or the next run might read this one's
    let tests = serde_json::from_str::<Report>(&text)?.tests;
    let skipped = tests.iter().filter(|test| test.skipped()).count();
    let failed: Vec<&Test> = tests.iter().filter(|test| !test.passed() && !test.skipped()).collect();
    let passed = tests.len() - skipped - failed.len();
    for test in &failed {
        println!("---- {} {}\n{}", test.code, test.name, test.output);
    }
    failed.iter().for_each(|test| println!("failed: {}", test.name));
    println!("lit: {passed} passed, {} failed", failed.len());
    let good = failed.is_empty() && (passed > 0 || filter.is_some());
    // The usual line with the counts of tests.
    let verdict = if good { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; {skipped} ignored; 0 measured",
        failed.len()
    );
    Ok(good)
}
