"""Lets a PyTorch built for CUDA run on the CPU alone, without the gigabytes of CUDA's libraries.

The wheel of PyTorch that PyPI has for Linux on x86-64 names those libraries as needed, although an export calls
nothing in them. This puts libraries beside PyTorch's that have the same names and symbols, each a function that
answers "no device".
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

NO_DEVICE = 100  # cudaErrorNoDevice, CUDA_ERROR_NO_DEVICE
LIBRARY = re.compile(r"^lib(cu|nv|nccl)[A-Za-z_]*\.so\.[0-9]+$")
OWN = re.compile(r"^(cu|nv|nccl|_Z\w*nvshmem)")


def output_of(*command: str) -> str:
    """The output of a command."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(libraries: list[Path]) -> tuple[set[str], dict[str, set[str]]]:
    """CUDA's libraries that the given ones need, and needed symbols by their version, which may be empty."""
    names: set[str] = set()
    symbols: dict[str, set[str]] = defaultdict(set)
    for library in libraries:
        names.update(re.findall(r"NEEDED.*\[(.*)\]", output_of("readelf", "-d", "-W", str(library))))
        for line in output_of("nm", "-D", "--undefined-only", str(library)).splitlines():
            name, _, version = line.split()[-1].partition("@")
            if LIBRARY.match(version) or OWN.match(name):
                symbols[version].add(name)
    return {name for name in names if LIBRARY.match(name)}, symbols


def make(library: Path, symbols: set[str], version: str) -> None:
    """Builds a library of functions that return "no device"; their version may be empty."""
    with tempfile.TemporaryDirectory() as folder:
        source, script = Path(folder, "library.c"), Path(folder, "library.map")
        lines = ["typedef long answer;"]
        for name in sorted(symbols):
            text = re.search(r"Get(Error|Result)?(String|Name)$", name)
            value = '(answer)"no device"' if text else str(NO_DEVICE)
            lines.append(f"answer {name}(void) {{ return {value}; }}")
        source.write_text("\n".join(lines) + "\n")
        body = "".join(f" {name};" for name in sorted(symbols))
        script.write_text(f"{version} {{ global:{body} local: *; }};\n" if version else "{ global: *; };\n")
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            sys.exit("tools/zoo: a C compiler is needed to run PyTorch without CUDA's libraries")
        options = ["-shared", "-fPIC", "-w", "-fno-builtin"]
        options += [f"-Wl,-soname,{library.name}", f"-Wl,--version-script={script}"]
        subprocess.run([compiler, *options, str(source), "-o", str(library)], check=True)


def main() -> None:
    """Builds the missing libraries beside the PyTorch of this environment."""
    package = next((Path(path, "torch") for path in sys.path if Path(path, "torch", "lib").is_dir()), None)
    if package is None:
        sys.exit("tools/zoo: no PyTorch in this environment")
    libraries = sorted(path for path in package.joinpath("lib").glob("*.so*") if not LIBRARY.match(path.name))
    names, symbols = needed(libraries)
    for name in sorted(names):
        # A version is the library's name, or begins it. Symbols without one may be of any library: each without
        # versions has them.
        own = [known for known in symbols if known and (known == name or name.startswith(f"lib{known.lower()}"))]
        version = own[0] if own else ""
        make(package / "lib" / name, symbols.get(version, set()), version)


if __name__ == "__main__":
    main()
