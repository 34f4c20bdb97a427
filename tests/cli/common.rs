//! Runs a driver, with test files.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(crate) const STRUMC: &str = env!("CARGO_BIN_EXE_strumc");
pub(crate) const TRANSLATE: &str = env!("CARGO_BIN_EXE_strum-translate");
pub(crate) const OPT: &str = env!("CARGO_BIN_EXE_strum-opt");

/// A convolution with 16 input channels, so that every method applies, and two results of different types.
pub(crate) const NETWORK: &str = r#"func.func @net(%x: tensor<1x4x4x16xi8>) -> (tensor<1x4x4x2xi8>, tensor<1x4x4x2xi32>) {
  %w = "tosa.const"() <{values = dense<[[[[1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16]]], [[[-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50]]]]> : tensor<2x1x1x16xi8>}> : () -> tensor<2x1x1x16xi8>
  %b = "tosa.const"() <{values = dense<[7, -9]> : tensor<2xi32>}> : () -> tensor<2xi32>
  %z = "tosa.const"() <{values = dense<0> : tensor<1xi8>}> : () -> tensor<1xi8>
  %0 = tosa.conv2d %x, %w, %b, %z, %z {acc_type = i32, dilation = array<i64: 1, 1>, pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>} : (tensor<1x4x4x16xi8>, tensor<2x1x1x16xi8>, tensor<2xi32>, tensor<1xi8>, tensor<1xi8>) -> tensor<1x4x4x2xi32>
  %m = "tosa.const"() <{values = dense<1073741824> : tensor<1xi32>}> : () -> tensor<1xi32>
  %s = "tosa.const"() <{values = dense<38> : tensor<1xi8>}> : () -> tensor<1xi8>
  %zi = "tosa.const"() <{values = dense<0> : tensor<1xi32>}> : () -> tensor<1xi32>
  %1 = tosa.rescale %0, %m, %s, %zi, %z {input_unsigned = false, output_unsigned = false, per_channel = false, rounding_mode = SINGLE_ROUND, scale32 = true} : (tensor<1x4x4x2xi32>, tensor<1xi32>, tensor<1xi8>, tensor<1xi32>, tensor<1xi8>) -> tensor<1x4x4x2xi8>
  return %1, %0 : tensor<1x4x4x2xi8>, tensor<1x4x4x2xi32>
}
"#;

/// The weights of `NETWORK`, one output channel after the other.
pub(crate) const WEIGHTS: [[i32; 16]; 2] = [
    [1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16],
    [-97, 3, 14, -6, 41, 0, -22, 9, -1, 64, -35, 5, 118, -12, 2, -50],
];

/// The result of a driver.
#[derive(Debug)]
pub(crate) struct Done {
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Done {
    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Asserts success without output on standard error.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        self
    }

    /// Asserts failure with this exit code and message, without standard output.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, message: &str) -> Self {
        assert!(self.code == Some(code) && self.stderr.contains(message), "{code}, {message}: {self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }
}

/// Runs a driver in a folder with this standard input.
pub(crate) fn run_in<S: AsRef<OsStr>>(folder: &Path, program: &str, arguments: &[S], input: &[u8]) -> Done {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A driver that does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let done = child.wait_with_output().unwrap();
    Done {
        code: done.status.code(),
        stdout: done.stdout,
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// A scratch folder with files.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// A folder with `net.mlir` and its input `x.npy`.
    pub(crate) fn new() -> Self {
        let scratch = Scratch(tempfile::tempdir().unwrap());
        scratch.write("net.mlir", NETWORK);
        let values: Vec<i8> = (0..256).map(|i| (i * 37 % 251 - 125) as i8).collect();
        scratch.write("x.npy", npy("|i1", &[1, 4, 4, 16], &bytes(&values)));
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// The names of all files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.path())
    }

    /// Runs `strumc`; arguments are separated by blanks.
    pub(crate) fn strumc(&self, line: &str) -> Done {
        run_in(self.path(), STRUMC, &words(line), b"")
    }

    /// Runs `strum-translate`; arguments are separated by blanks.
    pub(crate) fn translate(&self, line: &str) -> Done {
        run_in(self.path(), TRANSLATE, &words(line), b"")
    }

    /// Compiles `net.mlir` with these options to `net.dpu`.
    pub(crate) fn compile(&self, options: &str) -> Vec<u8> {
        let done = self.strumc(&format!("compile net.mlir -o net.dpu -q {options}"));
        assert_eq!(done.code, Some(0), "{done:?}");
        self.read("net.dpu")
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

pub(crate) fn bytes(values: &[i8]) -> Vec<u8> {
    values.iter().map(|v| v.cast_unsigned()).collect()
}

/// An `.npy` file.
pub(crate) fn npy(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], text.as_bytes(), data].concat()
}

/// The type string and the data of an `.npy` file.
pub(crate) fn read_npy(file: &[u8]) -> (String, Vec<u8>) {
    let header = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    let text = String::from_utf8(file[..header].to_vec().split_off(10)).unwrap();
    let descr = text.split('\'').nth(3).unwrap().to_owned();
    (descr, file[header..].to_vec())
}

/// The convolution of `NETWORK` on `x.npy`, as i32.
pub(crate) fn expected(weights: &[[i32; 16]; 2]) -> Vec<i32> {
    let x: Vec<i32> = (0..256).map(|i| i * 37 % 251 - 125).collect();
    let pixel = |p: &[i32]| {
        [7, -9]
            .into_iter()
            .zip(weights)
            .map(|(b, w)| b + p.iter().zip(w).map(|(x, w)| x * w).sum::<i32>())
            .collect()
    };
    x.chunks(16).flat_map(|p: &[i32]| -> Vec<i32> { pixel(p) }).collect()
}

/// The rescale of `NETWORK`: 2^30 / 2^38, halves up.
pub(crate) fn rescaled(accumulators: &[i32]) -> Vec<i8> {
    accumulators.iter().map(|a| ((a + 128) >> 8).clamp(-128, 127) as i8).collect()
}

pub(crate) fn i32s(data: &[u8]) -> Vec<i32> {
    data.chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect()
}
