//! Generates readers and writers from `tflite.fbs`. Invariant: nothing but that file decides what is generated.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=tflite.fbs");
    let declarations =
        planus_translation::translate_files(&["tflite.fbs"]).ok_or("tflite.fbs cannot be translated")?;
    let code = planus_codegen::generate_rust(&declarations, false).map_err(|e| e.to_string())?;
    let to = PathBuf::from(std::env::var("OUT_DIR")?).join("tflite.rs");
    Ok(std::fs::write(to, code)?)
}
