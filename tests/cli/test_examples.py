"""Every example of every help page is run as it is printed, in a folder that holds what it names.

Only what trains gets options on top of the printed ones, so that it takes seconds; `SHORTER` lists them.
"""

from __future__ import annotations

import re
import shlex
import shutil

import click
import numpy as np
import pytest

import small
import stub_ssh
import tiny
from dltk.cli.main import COMMANDS, cli
from dltk.edge.bundle.archive import pack
from dltk.edge.bundle.seal import sign
from dltk.edge.bundle.signature import Signature, TensorSpec

pytestmark = [
    *small.QUIET,
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

SECTION = re.compile(r"^ *Example:\n((?: +\S.*\n)+)", re.MULTILINE)
# Appended to an example of that command: the last --set of a key is the one that counts.
SHORTER = {"finetune": ["--smoke", "--set", "data.size=8", "--set", "fit.epochs=2"]}
SLOW = ("finetune", "compress", "export")
MADE_BY_IT = ("--run", "--out")  # the folder or file after one of these must not be there yet


def examples(page):
    """The command lines under "Example:" of a help page, `dltk` first."""
    return [line.strip() for block in SECTION.findall(page) for line in block.splitlines()]


def pages():
    """Help pages by command; "" is that of `dltk` itself."""
    return {name: small.invoke(*filter(None, [name]), "--help").output for name in ("", *COMMANDS)}


PRINTED = {name: examples(page) for name, page in pages().items()}
EVERY = [(name, line) for name, lines in PRINTED.items() for line in lines]


def test_every_page_has_examples_of_its_command():
    """Else a change of the pages' form would switch these tests off."""
    for name, lines in PRINTED.items():
        assert lines, name
        for line in lines:
            words = shlex.split(line)
            assert words[0] == "dltk", line
            assert words[1] == name or (not name and words[1] in COMMANDS), line


@pytest.mark.parametrize("line", [line for _, line in EVERY])
def test_an_example_parses(line):
    _, name, *rest = shlex.split(line)
    cli.get_command(click.Context(cli), name).make_context(name, rest)


def test_examples_are_found_and_nothing_else():
    page = "Usage: x\n\n  Text.\n\n  Example:\n      dltk a b\n      dltk c 'd e'\n\nOptions:\n  --x  dltk y\n"
    assert examples(page) == ["dltk a b", "dltk c 'd e'"]
    assert examples("  An example: this.\n") == []


def photos(folder):
    """Three classes in a folder each, told apart by their colour; a test split below would be a class of its own."""
    from PIL import Image

    generator = np.random.Generator(np.random.PCG64(0))
    for number, label in enumerate(tiny.LABELS):
        (folder / label).mkdir(parents=True)
        for count in range(12):
            image = generator.integers(0, 100, (16, 16, 3), np.uint8)
            image[..., number] += 150
            Image.fromarray(image).save(folder / label / f"{count:02}.png")


def photo(path):
    from PIL import Image

    Image.fromarray(tiny.raws(1)[0]).resize((64, 48)).save(path)


def bundle(folder):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    tiny.write_bundle(folder, {"model.float32.tflite": tiny.tflite(), "model.float32.onnx": tiny.onnx()})


def archive(path):
    """Signed by the owner of `public.pem`."""
    bundle(path.with_suffix(""))
    found = small.files(path.with_suffix(""))
    path.write_bytes(pack(found | {"manifest.sig": sign(found["manifest.json"], _key())}))


def _key():
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))


def key(path):
    """The private or the public half of one key pair."""
    from cryptography.hazmat.primitives import serialization as forms

    if path.stem == "private":
        path.write_bytes(_key().private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()))
    else:
        path.write_bytes(_key().public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo))


def policy(folder):
    """Pushes the cart to the side that its pole falls to: worth is what the pole's angle and its speed say."""
    package, _ = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    pytest.importorskip("gymnasium")
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.array([[0, 0, -1, -1], [0, 0, 1, 1]], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["observation", "kernel"], ["values"], transB=1)],
        "policy",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    package.checker.check_model(made)
    signature = Signature(
        task="control",
        family="policy",
        inputs=(TensorSpec("observation", "float32", (None, 4), ("batch", "number")),),
        outputs=(TensorSpec("values", "float32", (None, 2), ("batch", "action")),),
    )
    golden = {"raw": np.zeros((1, 4), np.float32)}  # predict never looks at the samples
    tiny.write_bundle(folder, {"model.float32.onnx": made.SerializeToString()}, signature=signature, golden=golden)


def model(path):
    """Says which colour is strongest, of pixels in 0..1: right on every one of `photos`."""
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(len(tiny.LABELS))]
    found = keras.Sequential(layers)
    found.layers[-1].set_weights([20 * np.eye(3, dtype=np.float32), np.zeros(3, np.float32)])
    found.save(path)


def people(path):
    rows = (f"{age},{('Graz', 'Linz')[age % 2]},{('low', 'high')[age % 3 == 0]}" for age in range(20, 80))
    path.write_text("\n".join(("age,city,income", *rows)) + "\n")


MAKERS = (
    (r"people\.csv", people),
    (r"photos(/\w+)?/?", photos),
    (r"[\w-]+\.(jpg|png)", photo),
    (r"exported/control", policy),
    (r"exported/[\w-]+", bundle),
    (r"exported/[\w-]+\.zip", archive),
    (r"(private|public)\.pem", key),
    (r"[\w-]+\.(keras|h5)", model),
)


def paths(line):
    """What an example names that must be there before it runs, and what it says that it makes."""
    words = shlex.split(line)[2:]
    made = [words[place + 1] for place, word in enumerate(words) if word in MADE_BY_IT]
    there = [word for word in words if re.fullmatch(r"\w+/[\w/-]*(\.zip)?|[\w-]+\.[a-z]\w+", word) and word not in made]
    return there, made


def prepare(word, folder, request):
    """What an example names, in `folder`."""
    path = folder / word
    path.parent.mkdir(parents=True, exist_ok=True)
    if word.startswith("runs/"):
        fixture = "compressed" if word.endswith("-compressed") else "trained"
        shutil.copytree(request.getfixturevalue(fixture).path, path)
        return
    maker = next((maker for pattern, maker in MAKERS if re.fullmatch(pattern, word)), None)
    assert maker, f"nothing here makes {word!r}"
    maker(path)


def run(line, folder, request, monkeypatch):
    there, made = paths(line)
    for word in there:
        prepare(word, folder, request)
    monkeypatch.chdir(folder)
    words = shlex.split(line)[1:]
    if "--host" in words:
        stub_ssh.install(folder / "ssh", monkeypatch)
    done = small.invoke(*words, *SHORTER.get(words[0], []))
    assert done.exit_code == 0, done.output
    assert done.stdout.strip()
    for word in made:
        assert (folder / word).exists(), word


LIGHT = [line for _, line in EVERY if shlex.split(line)[1] not in SLOW]
HEAVY = [line for _, line in EVERY if shlex.split(line)[1] in SLOW]


@pytest.mark.parametrize("line", LIGHT)
def test_an_example_runs(line, tmp_path, request, monkeypatch):
    if ".html" in line:
        pytest.importorskip("matplotlib")
        pytest.importorskip("jinja2")
    run(line, tmp_path, request, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("line", HEAVY)
def test_an_example_that_trains_runs(line, tmp_path, request, monkeypatch):
    run(line, tmp_path, request, monkeypatch)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dltk bench exported/tulips --thread 2", "no such option"),
        ("dltk report exported/tulips --out tulips.pdf", "must end in"),
        ("dltk predict exported/tulips rose.gif", "nothing here makes 'rose.gif'"),
    ],
)
def test_a_wrong_example_would_be_found(line, why, tmp_path, request, monkeypatch):
    with pytest.raises(AssertionError, match=why):
        run(line, tmp_path, request, monkeypatch)
