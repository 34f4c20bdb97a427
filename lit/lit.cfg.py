# How lit runs the tests below this folder. tests/lit.rs runs lit; by hand, after `cargo build`:
#   /usr/lib/llvm-22/bin/lit -v lit/dialects
# STRUM_LIT_ROUNDTRIP=1 sends every input through text and bytecode on its way (strum-opt --verify-roundtrip).

import os

import lit.formats

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
parameter = lit_config.params.get

config.name = "strum-opt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.join(root, "lit")
config.test_exec_root = os.path.join(parameter("out", os.path.join(root, "target")), "lit")

programs = parameter("bin", os.path.join(root, "target", "debug"))
llvm = parameter("llvm", "/usr/lib/llvm-22/bin")
config.environment["PATH"] = os.pathsep.join([programs, llvm, os.environ["PATH"]])
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --dump-input-filter=error"
config.substitutions.append(("%root", root))

if os.environ.get("STRUM_LIT_ROUNDTRIP"):
    config.substitutions.append((r"\bstrum-opt\b", "strum-opt --verify-roundtrip"))
