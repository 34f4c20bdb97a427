//! Lets the programs find LLVM's shared libraries, and the tests its tools.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |key: &str| std::env::var(format!("DEP_STRUM_IR_{key}")).unwrap_or_default();
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", variable("LIBDIR"));
    for key in ["BINDIR", "INCLUDE", "TD"] {
        println!("cargo::rustc-env=STRUM_LLVM_{key}={}", variable(key));
    }
}
