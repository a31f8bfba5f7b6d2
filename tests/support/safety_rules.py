"""The rules that keep hostile and half-written files harmless, as calls that may not stand in dltk's source.

A rule says which calls break it, and which few modules may make them, each with its reason. It reads the source only;
what a variable holds it knows where the same file makes it out of `io.BytesIO()`, and nowhere else.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import calls

__all__ = ["RULES", "Rule", "breaches"]

_SCRATCH = "a scratch folder of its own, which goes with the job"
_BUILT = "into a folder that is being built, swapped in whole"
_PINNED = "held against a pinned hash before it is used"
_OWN = "what dltk itself has just written, or its own sources"
_NOTHING = "the null device"


@dataclass(frozen=True)
class Rule:
    """What may not be called.

    Attributes:
        why: in words.
        breaks: whether a call does; it gets the call, and the names that hold a stream in memory.
        planted: calls that must be found.
        harmless: calls that must not be.
        spared: module below dltk/ -> why it may.
    """

    why: str
    breaks: Callable[[ast.Call, set[str]], bool]
    planted: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    spared: Mapping[str, str] = field(default_factory=dict)


def breaches(rule: Rule, tree: ast.AST) -> list[int]:
    """The lines of `tree` that break the rule, whoever may."""
    memory = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target, value in _pairs(node.targets[0], node.value)
        if isinstance(target, ast.Name) and calls.is_memory(value, set())
    }
    return sorted(node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call) and rule.breaks(node, memory))


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(value, ast.Tuple) and any(isinstance(each, ast.Starred) for each in value.elts):
        return []  # what stands where is not seen
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


RULES: Mapping[str, Rule] = {
    "writes": Rule(
        "every file is written by dltk.base.files: whole or not at all",
        calls.writes,
        (
            "open(p, 'w')", "open(p, mode='ab')", "p.open('wb')", "p.write_text('x')", "os.open(p, os.O_WRONLY)",
            "shutil.copy(a, b)", "a.rename(b)", "os.replace(a, b)", "zipfile.ZipFile(p, 'w')", "h5py.File(p, 'r+')",
            "create(p, mode='w+')", "array.tofile(p)", "os.fdopen(h, 'wb')",
        ),
        ("open(p)", "s = io.BytesIO()\nzipfile.ZipFile(s, 'w')", "text.replace('w', 'x')", "os.open(p, os.O_RDONLY)"),
        {
            "base/disk.py": "the place on the disk of a file that is being written",
            "base/files.py": "it is the one that writes",
            "base/siblings.py": "temporary siblings of base.files",
            "base/swap.py": "the swap of base.files",
            "bundle.py": _BUILT,
            "cli/boundary.py": "the process's own stderr, and the null device",
            "data/decoded.py": _BUILT,
            "data/examples/drawing.py": _BUILT,
            "data/examples/images.py": _BUILT,
            "data/examples/sounds.py": _BUILT,
            "data/examples/tables.py": _BUILT,
            "data/examples/texts.py": _BUILT,
            "data/examples/write.py": _BUILT,
            "edge/runtime/worker.py": _SCRATCH,
            "export/tflite.py": _NOTHING,
            "models/files/keras_file.py": _SCRATCH,
            "remote/agent.py": "the pipe that it answers through",
            "training/features.py": _BUILT,
            "validate/micro.py": _SCRATCH,
            "validate/micro_child.py": _SCRATCH,
        },
    ),
    "saves": Rule(
        "no library writes a file of its own accord",
        calls.saves,
        (
            "np.save(p, x)", "numpy.savez('a', x)", "picture.save(p)", "model.save(p)", "onnx.save(m, p)",
            "model.save_weights(p)", "json.dump(x, f)",
        ),
        ("s = io.BytesIO()\nnp.save(s, x)", "plan.save(p)"),
        {
            "edge/runtime/worker.py": _SCRATCH,
            "export/graph/native_calibration.py": _SCRATCH,
            "models/files/save.py": _SCRATCH,
            "validate/micro_child.py": _SCRATCH,
        },
    ),
    "runtimes": Rule(
        "a runtime gets bytes that were checked, never a path, from which it could follow links or crash",
        calls.runs_by_path,
        ("tf.lite.Interpreter(model_path=p)", "Interpreter(p)", "ort.InferenceSession(p)", "onnx.load(p)"),
        ("Interpreter(model_content=data)", "onnxruntime.InferenceSession(self._data, options)"),
    ),
    "keras": Rule(
        "model files are opened by Keras 3, in few places",
        calls.opens_keras,
        ("keras.saving.load_model(p, safe_mode=True)", "model.load_weights(p)"),
        (),
        {
            "models/files/keras_file.py": "models that the user brings, after the checks",
            "models/backbones/load.py": "weights that the user brings",
        },
    ),
    "safe mode": Rule(
        "Keras' safe mode is asked for by name, and never turned off",
        calls.is_unsafe,
        (
            "load_model(p)", "load_model(p, safe_mode=False)", "other(p, safe_mode=maybe)",
            "keras.config.enable_unsafe_deserialization()",
        ),
        ("load_model(p, safe_mode=True)",),
    ),
    "pickles": Rule(
        "nothing is unpickled, and numpy is told so each time",
        calls.unpickles,
        ("np.load(p)", "np.load(p, allow_pickle=True)", "load(allow_pickle=yes)", "pd.read_pickle(p)"),
        ("np.load(p, allow_pickle=False)",),
    ),
    "code": Rule(
        "no text becomes code",
        calls.makes_code,
        ("eval(text)", "exec(text)", "compile(text, p, 'exec')", "__import__(name)"),
        ("model.compile()", "re.compile(x)"),
        {"recipe/load.py": "a recipe is code, and its user names it"},
    ),
    "archives": Rule(
        "archives are read member by member, or extracted with the filter 'data'",
        calls.extracts,
        ("tar.extractall(p)", "tar.extract(m, filter='fully_trusted')", "shutil.unpack_archive(p)"),
        ("tar.extractall(p, filter='data')", "tar.extractfile(m)"),
        {"remote/bootstrap.py": _OWN},
    ),
    "pictures": Rule(
        "pictures are opened where their pixels are counted first",
        calls.opens_a_picture,
        ("Image.open(p, formats=x)", "pillow.open(p)", "pillow().open(p)"),
        ("path.open('rb')",),
        {
            "data/named/origins.py": _PINNED,
            "edge/input/images/decode.py": "counts them",
            "edge/sources/masking/pixels.py": "counts them",
        },
    ),
    "formats": Rule("Pillow tries only the formats that it is told", calls.opens_any_format, ("Image.open(p)",)),
    "json": Rule(
        "JSON of others is read by dltk.base.files.parse_json: no double keys, no NaN, no endless nesting",
        calls.parses_json,
        ("json.loads(data)", "json.load(stream)"),
        ("json.dumps(x)",),
        {
            "base/files.py": "it is parse_json",
            "edge/runtime/onnx.py": "the profile that ONNX Runtime has just written",
            "edge/runtime/worker.py": _OWN,
            "models/files/container.py": "as Keras will read it, so that what was checked is what it sees",
            "models/files/save.py": "what Keras has just saved",
        },
    ),
    "shells": Rule(
        "no shell reads what a user typed",
        calls.uses_a_shell,
        ("os.system(x)", "subprocess.run(x, shell=True)", "subprocess.getoutput(x)"),
        ("subprocess.run([x])", "platform.system()"),
    ),
    "reads": Rule(
        "files are read by dltk.base.files: no links, no devices, no more than is expected",
        calls.reads,
        (
            "p.read_bytes()", "p.read_text()", "open(p)", "p.open('rb')", "zipfile.ZipFile(p)", "tarfile.open(p)",
            "h5py.File(p)", "np.load(p, allow_pickle=False)", "np.fromfile(p)",
        ),
        (
            "zipfile.ZipFile(io.BytesIO(d))", "tarfile.open(fileobj=io.BytesIO(d))", "archive.open(entry)",
            "os.open(p, 0)", "s = io.BytesIO()\nnp.load(s, allow_pickle=False)",
        ),
        {
            "base/cache/folder.py": "the tag of dltk's own folder, no link",
            "base/fetch.py": _PINNED,
            "base/files.py": "it is the one that reads",
            "base/install.py": "what pip notes of dltk itself",
            "data/named/load.py": "memory maps of dltk's cache",
            "data/named/origins.py": _PINNED,
            "data/tokenizer.py": _PINNED,
            "edge/bundle/arrays.py": "memory maps of what dltk keeps",
            "edge/runtime/machine.py": "/proc",
            "edge/runtime/onnx.py": "the profile that ONNX Runtime has just written",
            "edge/sources/arrays.py": "a stream of open_regular, its headers held against its size",
            "edge/sources/kinds.py": "the first bytes of a regular file",
            "edge/runtime/worker.py": "its own job, and /proc",
            "export/graph/native_calibration.py": _SCRATCH,
            "export/runner.py": _OWN,
            "models/backbones/convert.py": _PINNED,
            "models/files/container.py": "bytes that were read with a cap",
            "models/files/save.py": "what Keras has just saved",
            "models/backbones/weights.py": "dltk's cache, and weights that the user brings",
            "recipe/load.py": "the source of an installed recipe",
            "recipe/record.py": "the first bytes of what was given in the place of a run",
            "report/demo.py": "its own pages, and a pinned package",
            "remote/agent.py": _OWN,
            "remote/link.py": _OWN,
            "run.py": "compared with what dltk wrote; links are left out",
            "training/features.py": "memory maps of dltk's cache",
            "validate/micro.py": _OWN,
            "validate/micro_child.py": "its own job",
        },
    ),
}  # fmt: skip
