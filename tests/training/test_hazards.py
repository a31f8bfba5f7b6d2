"""Models on which TensorFlow would end the process are trained on even batches only."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

import small

pytestmark = small.QUIET

SCRIPT = textwrap.dedent(
    """
    import keras, numpy as np
    from dltk.data.dataset import Dataset, Split
    from dltk.edge.bundle.signature import Signature, TensorSpec
    from dltk.recipe.groups import Fit
    from dltk.training import FitTrainer, run
    from dltk.models.backend import odd_batches_crash
    from pathlib import Path
    import sys

    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same")(image)
    x = keras.layers.Conv2D(16, 1, strides=2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3)(x))
    assert odd_batches_crash(model)
    rng = np.random.default_rng(0)
    store, targets = rng.integers(0, 256, (53, 16, 16, 3), dtype=np.uint8), rng.integers(0, 3, 53)
    sides = [Split(store, np.arange(*part), targets[slice(*part)]) for part in ((0, 43), (43, 48), (48, 53))]
    dataset = Dataset(*sides, ("a", "b", "c"), "digest", "here", {})
    made = Signature.from_dict(SIGNATURE, "here")
    trainer = FitTrainer(model, dataset, made, Fit(epochs=6, batch_size=32), seed=0)
    sizes = {len(batch.targets) for epoch in range(6) for batch in trainer.batches(epoch)}
    assert sizes == {32, 10}, sizes
    run(trainer, checkpoint=Path(sys.argv[1]))
    try:
        FitTrainer(model, dataset, made, Fit(batch_size=9), seed=0)
    except Exception as fault:
        assert "must be even" in str(fault), fault
    """
)


LARGE = textwrap.dedent(
    """
    import keras, numpy as np
    from dltk.models.backend import tf
    from dltk.models.backend import sliced_points

    for keras_ in (keras, __import__("tf_keras")):
        for size, padding, step in ((64, "same", 2), (57, "valid", 3)):
            image = keras_.Input((size, size, 8))
            layer = keras_.layers.Conv2D(16, 1, strides=step, padding=padding, activation="relu")
            model = keras_.Model(image, layer(image))
            x = tf.random.stateless_normal((32, size, size, 8), (0, 1))
            plain = model(x).numpy()

            @tf.function
            def learn():
                with sliced_points(model), tf.GradientTape() as tape:
                    found = model(x, training=True)
                    loss = tf.reduce_sum(found ** 2)
                return found, tape.gradient(loss, [weight.value if callable(getattr(weight, "value", 0)) is False
                                                   else weight for weight in model.trainable_variables])

            for _ in range(3):
                found, gradients = learn()
            assert np.array_equal(found.numpy(), plain)
            assert all(np.isfinite(each.numpy()).all() and np.abs(each.numpy()).max() > 0 for each in gradients)
            assert layer.strides == (step, step) and "call" not in vars(layer)
    """
)


def test_a_gradient_at_large_even_sides_ends_nothing():
    """In a process of its own: without the slices it is ended by a signal, whatever the batch."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE], env=small.environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_a_step_on_an_odd_rest_is_not_taken(trained, tmp_path):
    """In a process of its own: without the guard it is ended by a signal."""
    from dltk.run import Run

    found = Run.open(trained.path).read_json("signature")
    found["inputs"][0]["shape"] = [None, 16, 16, 3]
    found["outputs"][0]["shape"] = [None, 3]
    found["labels"] = ["a", "b", "c"]
    found["preprocess"] = [op for op in found["preprocess"] if op["op"] not in ("resize",)]
    script = SCRIPT.replace("SIGNATURE", repr(found))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "step.npz")],
        env=small.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
