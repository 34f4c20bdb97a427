//! Runs mlir-tblgen on the dialects, compiles their C++, generates Rust declarations of its C interface, and makes cargo
//! link all of it to the shared LLVM that `tools/llvm/bin/llvm-config` finds. Nothing else in the project depends on these
//! details.

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The dialects: the name, and the mlir-tblgen generators to run on `td/<name>/<Name>Ops.td`.
const DIALECTS: &[(&str, &str)] = &[("strum", "Strum"), ("dpu", "Dpu")];

/// The generators of mlir-tblgen, the suffix of their output, and the option that names the dialect.
const GENERATORS: &[(&str, &str, Option<&str>)] = &[
    ("dialect", "Dialect", Some("dialect")),
    ("enum", "Enums", None),
    ("attrdef", "Attrs", Some("attrdefs-dialect")),
    ("typedef", "Types", Some("typedefs-dialect")),
    ("op", "Ops", None),
];

/// Where LLVM is installed.
struct Llvm {
    bin: String,
    lib: String,
    include: String,
}

impl Llvm {
    fn find() -> Result<Self> {
        println!("cargo::rerun-if-env-changed=MLIR_SYS_220_PREFIX");
        println!("cargo::rerun-if-env-changed=LLVM_22_PREFIX");
        let prefix = env::var("MLIR_SYS_220_PREFIX").map_err(|_| {
            "MLIR_SYS_220_PREFIX is not set: build below the repository, whose .cargo/config.toml sets it"
        })?;
        let ask = |what: &str| -> Result<String> {
            let output = Command::new(Path::new(&prefix).join("bin/llvm-config")).arg(what).output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        Ok(Self { bin: ask("--bindir")?, lib: ask("--libdir")?, include: ask("--includedir")? })
    }
}

fn main() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for watched in ["build.rs", "td", "cpp"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let llvm = Llvm::find()?;
    generate_from_ods(&llvm, &root.join("td"), &out.join("include"))?;
    compile_cpp(&llvm, &root.join("cpp"), &out.join("include"))?;
    generate_bindings(&llvm, &root.join("cpp"), &out)?;
    link(&llvm, &out)?;
    for (key, value) in [("LIBDIR", &llvm.lib), ("BINDIR", &llvm.bin), ("INCLUDE", &llvm.include)] {
        println!("cargo::metadata={key}={value}"); // read by dependents as DEP_STRUM_MLIR_<KEY>
    }
    println!("cargo::metadata=TD={}", root.join("td").display());
    Ok(())
}

/// Runs each generator of mlir-tblgen over each dialect.
fn generate_from_ods(llvm: &Llvm, td: &Path, include: &Path) -> Result<()> {
    for &(dialect, prefix) in DIALECTS {
        let target = include.join(dialect);
        fs::create_dir_all(&target)?;
        let source = td.join(dialect).join(format!("{prefix}Ops.td"));
        for &(generator, suffix, option) in GENERATORS {
            for (kind, extension) in [("decls", "h.inc"), ("defs", "cpp.inc")] {
                let mut command = Command::new(Path::new(&llvm.bin).join("mlir-tblgen"));
                command.arg(format!("--gen-{generator}-{kind}"));
                command.arg("-I").arg(&llvm.include).arg("-I").arg(td);
                command.args(option.map(|option| format!("-{option}={dialect}")));
                command.arg(&source).arg("-o").arg(target.join(format!("{prefix}{suffix}.{extension}")));
                if !command.status()?.success() {
                    return Err(format!(
                        "mlir-tblgen --gen-{generator}-{kind} failed on {}",
                        source.display()
                    )
                    .into());
                }
            }
        }
    }
    Ok(())
}

/// All files below `folder` with the given extension, sorted.
fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn compile_cpp(llvm: &Llvm, cpp: &Path, generated: &Path) -> Result<()> {
    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        // libMLIR.so is built with clang. MLIR derives the identity of op traits from __PRETTY_FUNCTION__, which g++
        // spells differently: code compiled by g++ links and runs, but has no traits. Hence CXX is ignored.
        .compiler(Path::new(&llvm.bin).join("clang++"))
        .include(generated)
        .include(cpp)
        .flag("-isystem") // no warnings from third-party headers
        .flag(&llvm.include)
        .flag("-fno-exceptions")
        .flag("-fvisibility-inlines-hidden")
        .flag("-Wno-unused-parameter")
        .warnings(true)
        .define("_GNU_SOURCE", None)
        .define("__STDC_CONSTANT_MACROS", None)
        .define("__STDC_FORMAT_MACROS", None)
        .define("__STDC_LIMIT_MACROS", None)
        // libMLIR.so is a release build, and the layout of some of its classes depends on NDEBUG.
        .define("NDEBUG", None)
        .files(files(cpp, "cpp")?);
    build.try_compile("strum_mlir_cpp")?;
    Ok(())
}

/// Rust declarations of `cpp/capi/*.h`. The types of MLIR's own C interface come from mlir-sys.
fn generate_bindings(llvm: &Llvm, cpp: &Path, out: &Path) -> Result<()> {
    let mut builder = bindgen::builder()
        .clang_args([format!("-I{}", llvm.include), format!("-I{}", cpp.display())])
        .allowlist_file(".*/capi/[A-Za-z]*\\.h")
        .allowlist_recursively(false)
        .allowlist_item("[Ss]trum.*|[Dd]pu.*|mlirGetDialectHandle__(strum|dpu)__")
        .default_enum_style(bindgen::EnumVariation::ModuleConsts)
        .layout_tests(false)
        .merge_extern_blocks(true);
    for header in files(&cpp.join("capi"), "h")? {
        builder = builder.header(header.display().to_string());
    }
    builder.generate()?.write_to_file(out.join("bindings.rs"))?;
    Ok(())
}

fn link(llvm: &Llvm, out: &Path) -> Result<()> {
    // Debian has MLIR's C interface as static archives only, while mlir-sys asks for libMLIR-C.so: a linker script of that name
    // makes the archives, resolved against libMLIR.so, look like it. libMLIR.so is named again inside it because rustc passes
    // --as-needed and names -lMLIR first.
    if !Path::new(&llvm.lib).join("libMLIR-C.so").exists() {
        let archives: Vec<String> = files(Path::new(&llvm.lib), "a")?
            .iter()
            .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libMLIRCAPI")))
            .map(|path| path.display().to_string())
            .collect();
        if archives.is_empty() {
            return Err(format!("no libMLIRCAPI*.a in {}: install libmlir-22-dev", llvm.lib).into());
        }
        let script = format!(
            "GROUP ( {} )\nINPUT ( {lib}/libMLIR.so {lib}/libLLVM-22.so )\n",
            archives.join(" "),
            lib = llvm.lib
        );
        fs::write(out.join("libMLIR-C.so"), script)?;
    }
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-search=native={}", llvm.lib);
    // Cargo puts library search directories below target/ on the library path of `cargo run` and `cargo test`, doctests
    // included; link arguments do not reach these.
    let alias = out.join("libMLIR.so.22.1");
    if fs::symlink_metadata(&alias).is_ok() {
        fs::remove_file(&alias)?;
    }
    std::os::unix::fs::symlink(Path::new(&llvm.lib).join("libMLIR.so.22.1"), &alias)?;
    Ok(())
}
