"""Run a model in a fresh process, where TensorFlow cannot be imported and a crash does no harm.

This file is also the program of that process: `python -I worker.py FOLDER` reads a job from FOLDER and leaves the
result there. It starts with the standard library only, so that the blocker stands before anything else is imported.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dltk.edge.bundle.signature import Signature
    from dltk.edge.runtime.port import Port

__all__ = ["BLOCKED", "WorkerResult", "run_worker"]

BLOCKED = ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "tf2onnx", "onnx", "sklearn", "pandas")
_CHUNK = 64  # samples whose tensors are held at a time
_WARM_UP, _FEWEST_RUNS, _MOST_RUNS, _SECONDS = 5, 20, 2000, 1.0


@dataclass(frozen=True)
class WorkerResult:
    """What a model did in its own process.

    Attributes:
        outputs: name -> float32 (n, ...).
        input_ports, output_ports: as they stand in the file.
        operators, float_operators, delegated_share: see `dltk.edge.runtime.port.Session`.
        milliseconds: {"p50", "p90", "p99", "runs"} of one sample, or None where no time was taken.
        memory: bytes {"peak", "model"}: highest resident size of the process, anonymous memory that loading and
            running added; None if the system does not report it.
    """

    outputs: dict[str, NDArray[Any]]
    input_ports: tuple[Port, ...]
    output_ports: tuple[Port, ...]
    operators: dict[str, int]
    float_operators: dict[str, int]
    delegated_share: float | None
    milliseconds: dict[str, float] | None
    memory: dict[str, int] | None

    @property
    def p50_ms(self) -> float | None:
        """The median time of one sample, in milliseconds."""
        return None if self.milliseconds is None else self.milliseconds["p50"]


def run_worker(
    artifact: bytes,
    format: str,
    signature: Signature,
    raws: NDArray[Any],
    *,
    threads: int = 1,
    time: bool = False,
    timeout: float = 600.0,
) -> WorkerResult:
    """Run `artifact` on raw samples (n, ...) in a child process without TensorFlow.

    Args:
        time: also measure the latency of one sample (about a second).
        timeout: seconds after which the child is ended.

    Raises:
        InputError: if the file does not load or run, does not fit the signature, or crashes its runtime.
        LimitError: if it runs longer than `timeout`.
        EnvironmentFault: if the runtime is missing, or no process can be started.
    """
    import numpy as np

    from dltk.base.errors import EnvironmentFault
    from dltk.base.files import canonical_json

    try:
        where = tempfile.gettempdir()
    except OSError as fault:
        raise EnvironmentFault("temporary folder", "must be writable", fault.strerror, "Set TMPDIR.") from fault
    job = {"format": format, "signature": signature.as_dict(), "threads": threads, "time": time}
    with tempfile.TemporaryDirectory(prefix="dltk-worker-") as name:
        folder = Path(name)
        try:
            (folder / "model").write_bytes(artifact)
            (folder / "job.json").write_bytes(canonical_json(job))
            for asset, data in signature.assets.items():
                (folder / "assets").mkdir(exist_ok=True)
                (folder / "assets" / asset).write_bytes(data)
            np.save(folder / "raws.npy", raws, allow_pickle=False)
        except OSError as fault:
            hint = "Free some space there, or set TMPDIR to another folder."
            raise EnvironmentFault(f"temporary folder {where}", "must take files", fault.strerror, hint) from fault
        _run_child([sys.executable, "-I", __file__, name], timeout)
        return _result(folder)


def _run_child(command: Sequence[str], timeout: float) -> None:
    from dltk.base.errors import DltkError, EnvironmentFault, InputError, LimitError

    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as fault:
        raise LimitError("model", f"must run within {timeout:g} s") from fault
    except OSError as fault:  # a sandbox, an emulator, no memory
        raise EnvironmentFault("worker", "must start as a process of its own", fault.strerror) from fault
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise InputError(
            "model", "must not crash its runtime", name, "The file is damaged, or the runtime is at fault."
        )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no word"]
        raise DltkError("worker", "must end well", lines[-1])


def _result(folder: Path) -> WorkerResult:
    import numpy as np

    from dltk.base.errors import as_error
    from dltk.edge.runtime.port import Port

    found: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    if "error" in found:
        raise as_error(found["error"])
    for key in ("input_ports", "output_ports"):
        found[key] = tuple(Port(**port | {"shape": tuple(port["shape"])}) for port in found[key])
    with np.load(folder / "outputs.npz", allow_pickle=False) as arrays:
        return WorkerResult(outputs={name: arrays[name] for name in arrays.files}, **found)


class _Blocker(MetaPathFinder):
    """Refuses the packages that a device does not have."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname.partition(".")[0] in BLOCKED:
            raise ImportError(f"{fullname} is not there on a device, and so not in this process")


def _main(folder: Path) -> None:
    sys.meta_path.insert(0, _Blocker())
    here = str(Path(__file__).resolve().parents[3])  # where dltk stands: -I ignores PYTHONPATH
    if here not in sys.path:  # before another dltk that may be installed; site-packages itself stays where it is
        sys.path.insert(0, here)
    from dltk.base.errors import DltkError

    try:
        result = _work(folder)
    except DltkError as error:
        result = {"error": error.as_dict()}
    (folder / "result.json").write_text(json.dumps(result))


def _work(folder: Path) -> dict[str, Any]:
    import numpy as np

    from dltk.edge.bundle.arrays import save_npz
    from dltk.edge.bundle.signature import Signature
    from dltk.edge.families import family
    from dltk.edge.runtime.port import require_ports
    from dltk.edge.runtime.sessions import open_session

    job = json.loads((folder / "job.json").read_bytes())
    bare = Signature.from_dict(job["signature"], "signature")
    signature = bare.with_assets(lambda name: (folder / "assets" / name).read_bytes())
    tensors, raws = family(signature.family).tensors, np.load(folder / "raws.npy", mmap_mode="r", allow_pickle=False)
    data, first = (folder / "model").read_bytes(), tensors(np.array(raws[:1]), signature)
    before = _status()
    session = open_session(job["format"], data, threads=job["threads"])
    require_ports(session, signature, "model")
    session.run(first)
    after = _status()
    milliseconds = _time(session, first) if job["time"] else None
    pieces = [
        session.run(tensors(np.array(raws[start : start + _CHUNK]), signature)) for start in range(0, len(raws), _CHUNK)
    ]
    save_npz(folder / "outputs.npz", {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]})
    return {
        "input_ports": [asdict(port) for port in session.inputs],
        "output_ports": [asdict(port) for port in session.outputs],
        "operators": session.operators(),
        "float_operators": session.float_operators(),
        "delegated_share": session.delegated_share(),
        "milliseconds": milliseconds,
        "memory": {"peak": after["VmHWM"], "model": max(0, after["RssAnon"] - before["RssAnon"])} if after else None,
    }


def _time(session: Any, sample: Any) -> dict[str, float]:
    import numpy as np

    for _ in range(_WARM_UP):
        session.run(sample)
    taken: list[float] = []
    while len(taken) < _FEWEST_RUNS or (sum(taken) < _SECONDS and len(taken) < _MOST_RUNS):
        start = time.perf_counter()
        session.run(sample)
        taken.append(time.perf_counter() - start)
    p50, p90, p99 = (float(value) * 1000 for value in np.percentile(taken, [50, 90, 99]))
    return {"p50": p50, "p90": p90, "p99": p99, "runs": len(taken)}


def _status() -> dict[str, int]:
    """Bytes by name out of /proc/self/status; empty where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
