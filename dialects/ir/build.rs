//! Lets this crate's own tests find LLVM's shared libraries, and passes the locations of LLVM and of the dialects' sources on to
//! dependents (`DEP_STRUM_IR_LIBDIR` and so on).

fn main() {
    for key in ["LIBDIR", "BINDIR", "INCLUDE", "TD"] {
        if let Ok(value) = std::env::var(format!("DEP_STRUM_MLIR_{key}")) {
            println!("cargo::metadata={key}={value}");
            println!("cargo::rustc-env=STRUM_LLVM_{key}={value}"); // for the tests
            if key == "LIBDIR" {
                println!("cargo::rustc-link-arg=-Wl,-rpath,{value}");
            }
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
}
