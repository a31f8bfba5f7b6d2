"""The command `dltk`. A command is imported when it is run, so that help is instant."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from dltk.base.errors import UsageError, did_you_mean
from dltk.cli.boundary import end_cleanly_on_sigterm, error_boundary, hide_native_log
from dltk.cli.interrupted import remember_command_line, typed_command_line

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS: Mapping[str, tuple[str, str]] = {  # name -> "module:command" and the line in `dltk --help`
    "recipes": ("dltk.cli.commands.recipes:recipes", "List the recipes, or describe one."),
    "inspect": ("dltk.cli.commands.inspect:inspect", "Show what would be read of your data, and which recipes fit."),
    "backbones": ("dltk.cli.commands.backbones:backbones", "List the backbones and where their weights can come from."),
    "doctor": ("dltk.cli.commands.doctor:doctor", "Show what is installed here and what is missing."),
    "finetune": ("dltk.cli.commands.finetune:finetune", "Train the model of a recipe on your data."),
    "adopt": ("dltk.cli.commands.adopt:adopt", "Make a run from a Keras model that you already have."),
    "compress": ("dltk.cli.commands.compress:compress", "Make the model of a run smaller and faster."),
    "export": ("dltk.cli.commands.export:export", "Write the model of a run as a bundle for a device."),
    "validate": (
        "dltk.cli.commands.validate:validate",
        "Check that a bundle still gives its recorded predictions.",
    ),
    "predict": ("dltk.cli.commands.predict:predict", "Run a bundle on samples."),
    "bench": ("dltk.cli.commands.bench:bench", "Measure latency, memory and size of a bundle here."),
    "report": ("dltk.cli.commands.report:report", "Write a report on a run or a bundle."),
    "cache": ("dltk.cli.commands.cache:cache", "List or clear dltk's cache."),
}

# What other tools call a command of ours.
_ELSEWHERE: Mapping[str, str] = {
    "train": "finetune",
    "fit": "finetune",
    "tune": "finetune",
    "import": "adopt",
    "quantize": "compress",
    "prune": "compress",
    "convert": "export",
    "deploy": "export",
    "eval": "validate",
    "evaluate": "validate",
    "test": "validate",
    "verify": "validate",
    "infer": "predict",
    "classify": "predict",
    "run": "predict",
    "benchmark": "bench",
    "info": "doctor",
    "list": "recipes",
    "models": "backbones",
}


class _LazyGroup(click.Group):
    """A group that knows names and help lines, and imports a command only when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            known = _ELSEWHERE.get(args[0].lower())
            hint = f"Did you mean {known!r}?" if known else did_you_mean(args[0], COMMANDS)
            raise UsageError(f"dltk {args[0]}", "there is no such command", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def make_context(self, info_name: str | None, args: list[str], *given: Any, **named: Any) -> click.Context:
        words = tuple(args)
        with error_boundary(words):  # Ctrl-C counts from here on
            ctx = super().make_context(info_name, args, *given, **named)
        remember_command_line(ctx, words)
        return ctx

    def invoke(self, ctx: click.Context) -> object:
        with error_boundary(typed_command_line(ctx)):
            return super().invoke(ctx)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dltk-edge", message="dltk %(version)s")
def cli() -> None:
    """Train a model on your samples, compress it, and write files that are checked to give the same predictions on a
    device.

    \b
    Example:
        dltk finetune cnn --data digits --smoke
    """


def main() -> None:
    """The console script."""
    hide_native_log()
    end_cleanly_on_sigterm()
    cli(prog_name="dltk")


if __name__ == "__main__":
    main()
