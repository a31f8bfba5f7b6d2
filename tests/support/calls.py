"""What a call does, by how it is written: the halves of the safety rules that look at the source.

`memory` holds the names that the same file gives to a stream in memory, `io.BytesIO()`.
"""

from __future__ import annotations

import ast

__all__ = [
    "extracts",
    "is_memory",
    "is_unsafe",
    "makes_code",
    "opens_a_picture",
    "opens_any_format",
    "opens_keras",
    "parses_json",
    "reads",
    "runs_by_path",
    "saves",
    "unpickles",
    "uses_a_shell",
    "writes",
]

_MODES = {"wb", "w", "ab", "a", "xb", "x", "r+b", "rb+", "r+", "w+", "wb+", "w+b", "wt", "at", "xt"}
_COPIES = {"copy", "copy2", "copyfile", "copyfileobj", "copytree", "move"}
_NUMPY, _SAVES = ("np", "numpy"), ("save", "savez", "savez_compressed", "savetxt")
_PILLOW = ("Image", "PIL.Image", "pillow", "pillow()")
_SHELLS = ("system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell")


def _called(call: ast.Call) -> str:
    """Last name of what is called: `open` of `Path(x).open()`."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _of(call: ast.Call) -> str:
    """Source of what the method belongs to; empty for a function."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _given(call: ast.Call, name: str, place: int | None = None) -> ast.expr | None:
    """The argument of that name, or at that place."""
    named = next((word.value for word in call.keywords if word.arg == name), None)
    return named if named is not None or place is None or len(call.args) <= place else call.args[place]


def _is(value: ast.expr | None, *constants: object) -> bool:
    return isinstance(value, ast.Constant) and any(value.value is each or value.value == each for each in constants)


def is_memory(value: ast.expr | None, memory: set[str]) -> bool:
    """Whether this is a stream that lies in memory."""
    if isinstance(value, ast.Name):
        return value.id in memory
    return isinstance(value, ast.Call) and _called(value) == "BytesIO"


def writes(call: ast.Call, memory: set[str]) -> bool:
    name, of = _called(call), _of(call)
    if name in ("write_bytes", "write_text", "touch", "tofile", "NamedTemporaryFile", "mkstemp", "posix_fallocate"):
        return True
    if name in ("rename", "link", "symlink", "symlink_to", "hardlink_to") or (of == "os" and name == "replace"):
        return True
    if of == "os" and name == "open":
        return any(flag in ast.unparse(call) for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND"))
    if of == "shutil" and name in _COPIES:
        return True
    words = [*call.args, *(word.value for word in call.keywords)]
    opens = name in ("open", "fdopen", "ZipFile", "File", "memmap")
    mode = _is(_given(call, "mode"), *_MODES) or (opens and any(_is(word, *_MODES) for word in words))
    return mode and not any(is_memory(word, memory) for word in words)


def saves(call: ast.Call, memory: set[str]) -> bool:
    """By a library's own way to write: numpy, Pillow, Keras, onnx; a plan of dltk's saves itself atomically."""
    name, of = _called(call), _of(call)
    if name == "dump" and of in ("json", "pickle", "marshal", "yaml", "joblib"):
        return True
    if name in ("save_weights", "export_saved_model", "save_model") or (name in _SAVES and of in (*_NUMPY, "onnx")):
        return not any(is_memory(each, memory) for each in call.args)
    return name == "save" and not of.endswith("plan") and not any(is_memory(each, memory) for each in call.args)


def runs_by_path(call: ast.Call, memory: set[str]) -> bool:
    name, of = _called(call), _of(call)
    if name == "Interpreter":
        return _given(call, "model_content") is None or bool(call.args)
    if name == "InferenceSession":
        return ast.unparse(_given(call, "path_or_bytes", 0) or ast.Constant(None)) != "self._data"
    return name == "from_file" or (of == "onnx" and name == "load")


def opens_keras(call: ast.Call, memory: set[str]) -> bool:
    return _called(call) in ("load_model", "model_from_json", "from_json", "load_weights", "TFSMLayer")


def is_unsafe(call: ast.Call, memory: set[str]) -> bool:
    safe = _given(call, "safe_mode")
    if _called(call) == "load_model":
        return not _is(safe, True)
    return _called(call) == "enable_unsafe_deserialization" or (safe is not None and not _is(safe, True))


def unpickles(call: ast.Call, memory: set[str]) -> bool:
    told = _given(call, "allow_pickle")
    if told is not None:
        return not _is(told, False)
    return _called(call) == "read_pickle" or (_of(call) in _NUMPY and _called(call) == "load")


def makes_code(call: ast.Call, memory: set[str]) -> bool:
    return not _of(call) and _called(call) in ("eval", "exec", "compile", "__import__")


def extracts(call: ast.Call, memory: set[str]) -> bool:
    return _called(call) in ("extractall", "extract", "unpack_archive") and not _is(_given(call, "filter"), "data")


def opens_a_picture(call: ast.Call, memory: set[str]) -> bool:
    return _of(call) in _PILLOW and _called(call) == "open"


def opens_any_format(call: ast.Call, memory: set[str]) -> bool:
    return opens_a_picture(call, memory) and _given(call, "formats") is None


def parses_json(call: ast.Call, memory: set[str]) -> bool:
    return _of(call) == "json" and _called(call) in ("loads", "load", "JSONDecoder")


def uses_a_shell(call: ast.Call, memory: set[str]) -> bool:
    shell = _given(call, "shell")
    return (_of(call) in ("os", "subprocess", "asyncio") and _called(call) in _SHELLS) or (
        shell is not None and not _is(shell, False)
    )


def reads(call: ast.Call, memory: set[str]) -> bool:
    name, of = _called(call), _of(call)
    if name in ("read_bytes", "read_text", "fromfile", "genfromtxt", "loadtxt", "read_csv", "read_hdf"):
        return True
    is_open = name == "open" and of not in ("os", "tarfile", *_PILLOW)
    if is_open and of in ("", "io"):
        return True  # the builtin
    if is_open:  # of a path: `opened.open("rb")`; an archive's takes a member instead
        return not call.args or _is(call.args[0], "r", "rb", "rt")
    by_path = (of in _NUMPY and name == "load") or name in ("ZipFile", "File") or (of, name) == ("tarfile", "open")
    source = _given(call, "fileobj") or (call.args[0] if call.args else None)
    return by_path and not is_memory(source, memory)
