"""`dltk predict`."""

from __future__ import annotations

from pathlib import Path

import click

from dltk.cli import options

__all__ = ["predict"]


@click.command()
@click.argument("bundle", type=options.PATH)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("--runtime", metavar="NAME", help="tflite or onnx.  [default: the first that is installed]")
@click.option("--artifact", metavar="FILE", help="The model file of the bundle to run.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Number of labels per sample.")
@click.option(
    "--out", type=options.PATH, metavar="FILE", help="Write the output of the model to a file, e.g. images as a PNG."
)
@click.option("--env", metavar="NAME", help="Run a policy in this gymnasium environment, without INPUT.")
@click.option("--episodes", type=click.IntRange(min=1), help="With --env: number of episodes.  [default: 10]")
@click.option("--seed", type=click.IntRange(min=0), help="With --env: seed of the first episode.  [default: 0]")
@options.verify
@options.max_memory
@options.as_json
def predict(
    bundle: Path,
    inputs: tuple[str, ...],
    runtime: str | None,
    artifact: str | None,
    top: int,
    out: Path | None,
    env: str | None,
    episodes: int | None,
    seed: int | None,
    verify: Path | None,
    max_memory: int,
    as_json: bool,
) -> None:
    """Run the model in BUNDLE on each INPUT.

    INPUT depends on the model: paths of images, recordings, CSV or text files; texts; seed numbers; JSON such as
    {"user": "7"} or {"image": "a.jpg", "text": "a dog"}. For models of rows or texts, each row of a CSV file or line
    of a text file is a sample.

    \b
    Example:
        dltk predict exported/flowers rose.jpg --top 3
        dltk predict exported/flowers.zip rose.jpg --verify public.pem
        dltk predict exported/control --env CartPole-v1 --episodes 100
    """
    from dltk.base.errors import UsageError
    from dltk.edge.load import load
    from dltk.edge.predict import predict_inputs

    if bool(inputs) == (env is not None):
        raise UsageError("INPUT", "give an INPUT to run the model on, or --env to run a policy", len(inputs))
    if env is None and (episodes is not None or seed is not None):
        raise UsageError("--episodes, --seed", "need --env")
    if env is not None and out is not None:
        raise UsageError("--out", "writes predictions; --env has none", str(out))
    model = load(bundle, runtime=runtime, artifact=artifact, verify=verify, max_memory=max_memory)
    told = {"bundle": str(bundle), "artifact": model.artifact.file}
    if env is not None:
        from dltk.edge.play import play_bundle

        played = play_bundle(model, env, episodes=episodes or 10, seed=seed or 0)
        options.show(told | played.as_dict(), played.as_text(), as_json)
        return
    rows, text = predict_inputs(model, inputs, top=top, out=out)
    options.show(told | {"answers": rows}, text, as_json)
