"""click's usage errors in dltk's own form, with the option that was probably meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from dltk.base.errors import UsageError, did_you_mean
from dltk.recipe.near import similar_keys
from dltk.recipe.settings import Setting, format_value

__all__ = ["Keys", "Suggesting", "as_usage"]

# Settings that the words of a command line allow, with the option that takes them: ("--set", Setting("fit.epochs" ...))
Keys = Iterable[tuple[str, Setting]]

_SHOWN = 3
# What other tools call an option of ours; the first that the command has is meant.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "output": ("--out", "--run"),
    "output-dir": ("--out", "--run"),
    "out": ("--run",),
    "out-dir": ("--out", "--run"),
    "name": ("--out", "--run"),
    "save": ("--out", "--run"),
    "run": ("--out",),
    "dataset": ("--data",),
    "data-dir": ("--data",),
    "images": ("--data",),
    "config": ("--set",),
    "steps": ("--step",),
    "max-accuracy-drop": ("--max-drop",),
    "formats": ("--format",),
    "precisions": ("--precision",),
    "quantize": ("--precision",),
    "zip": ("--archive",),
    "top-k": ("--top",),
    "topk": ("--top",),
    "device": ("--host",),
    "continue": ("--resume",),
    "dry-run": ("--smoke",),
    "quick": ("--smoke",),
}


class Suggesting(click.Command):
    """A command with settings behind one of its options, and parameters that have known values.

    Args:
        keys: words of the command line -> the settings that exist; if an unknown option is one of them, the error
        explains how to pass it.
        known: name of a missing parameter -> a sentence that lists its values.
    """

    def __init__(
        self,
        *given: Any,
        keys: Callable[[Sequence[str]], Keys] | None = None,
        known: Mapping[str, Callable[[], str]] | None = None,
        **named: Any,
    ) -> None:
        super().__init__(*given, **named)
        self.keys, self.known = keys, known or {}


def as_usage(fault: click.UsageError, words: Sequence[str]) -> UsageError:
    """The dltk error that replaces a usage error of click.

    Args:
        words: the command line after `dltk`.
    """
    command = fault.ctx.command if fault.ctx is not None else None
    path = fault.ctx.command_path if fault.ctx is not None else "dltk"
    if isinstance(fault, click.NoSuchOption):
        return UsageError(fault.option_name, "there is no such option", hint=_option_hint(fault, command, path, words))
    if isinstance(fault, click.MissingParameter) and fault.param is not None:
        lister = command.known.get(str(fault.param.name)) if isinstance(command, Suggesting) else None
        hint = lister() if lister is not None else _help(path)
        return UsageError(_name(fault.param, fault.ctx), "must be given", hint=hint)
    if isinstance(fault, click.BadParameter) and fault.param is not None:
        hint = _choice_hint(fault, words) or _help(path)
        return UsageError(_name(fault.param, fault.ctx), _rule(fault.message), hint=hint)
    extra = _extra_hint(fault, command, words)
    return UsageError(path, _rule(fault.message), hint=extra or _help(path))


def _help(path: str) -> str:
    return f"See `{path} --help`."


def _rule(message: str) -> str:
    text = message.rstrip(".")
    return text[:1].lower() + text[1:] if not text[:2].isupper() else text


def _name(param: click.Parameter, ctx: click.Context | None) -> str:
    if isinstance(param, click.Argument):
        return param.make_metavar(ctx) if ctx is not None else str(param.name)
    return max(param.opts, key=len)


def _option_hint(fault: click.NoSuchOption, command: Any, path: str, words: Sequence[str]) -> str:
    """The hint for an unknown option: a setting, an option of another name, or a misspelt one."""
    name, _, joined = fault.option_name.partition("=")
    given = dict.fromkeys(option for each in getattr(command, "params", ()) for option in each.opts)
    value = joined or _value_of(name, words)
    if isinstance(command, click.Group) and (behind := _behind(name, command, click.Context(command), words)):
        return behind
    keys = list(command.keys(words)) if isinstance(command, Suggesting) and command.keys else []
    if found := _as_settings(name, value, keys, exact=True):
        return found
    for other in _OPTIONS.get(name.strip("-"), ()):
        if other in given:
            return f"Did you mean {other}?"
    for each in getattr(command, "params", ()):
        if isinstance(each, click.Argument) and name.strip("-") == each.name:
            return f"Pass it without a name: {path} {value or _name(each, fault.ctx)}."
    if (near := did_you_mean(name, given)).startswith("Did"):
        return near
    return _as_settings(name, value, keys, exact=False) or _help(path)


def _behind(name: str, group: click.Group, ctx: click.Context, words: Sequence[str]) -> str:
    """Where to pass the option `name` if it belongs to the command among `words` but was given before it; else ""."""
    called = next((word for word in words if word in group.list_commands(ctx)), "")
    command = group.get_command(ctx, called)
    options = {option for each in command.params for option in each.opts} if command is not None else set()
    return f"Give it after the command: dltk {called} ... {name}." if name in options else ""


def _as_settings(name: str, value: str | None, keys: Sequence[tuple[str, Setting]], *, exact: bool) -> str:
    """How to pass the setting that the option `name` stands for; "" if none is close."""
    turned_off = name.startswith("--no-")
    word = name.removeprefix("--no-") if turned_off else name
    names = dict.fromkeys(leaf.key for _, leaf in keys)
    near = similar_keys(word, names, alike=1.0 if exact else 0.72)
    ways = []
    for flag, leaf in keys:
        if leaf.key in near and (not turned_off or isinstance(leaf.value, bool)):
            ways.append(f"{flag}{leaf.key}={_pair_value(leaf, value, turned_off)}")
    if not ways:
        return ""
    more = " ..." if len(ways) > _SHOWN else ""
    return f"It is a setting: give {' or '.join(ways[:_SHOWN])}{more}."


def _pair_value(leaf: Setting, value: str | None, turned_off: bool) -> str:
    if isinstance(leaf.value, bool):
        said = str(value).lower()
        return "false" if turned_off else said if said in ("true", "false", "yes", "no", "1", "0") else "true"
    return format_value(leaf.value) if value is None else value


def _value_of(name: str, words: Sequence[str]) -> str | None:
    """The word after the option `name`, unless that is an option itself."""
    for place, word in enumerate(words):
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
        if word == name:
            following = words[place + 1] if place + 1 < len(words) else "-"
            return None if following.startswith("-") and not _is_number(following) else following
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _choice_hint(fault: click.BadParameter, words: Sequence[str]) -> str:
    kind = fault.param.type if fault.param is not None else None
    if not isinstance(kind, click.Choice):
        return ""
    for word in words:
        hint = did_you_mean(word.partition("=")[2] or word, map(str, kind.choices))
        if hint.startswith("Did") and word not in kind.choices and not word.startswith("--"):
            return hint
    return ""


def _extra_hint(fault: click.UsageError, command: Any, words: Sequence[str]) -> str:
    """The hint for extra words: a setting without --set, or data without --data."""
    opened = "unexpected extra argument"
    if command is None or opened not in fault.message:
        return ""
    options = {option for each in command.params for option in each.opts}
    extra = fault.message.partition("(")[2].rstrip(").").split(" ")[0]
    if extra not in words:
        return ""
    if "=" in extra and "--set" in options:
        return f"Did you mean --set {extra}?"
    if "--data" in options and "--data" not in words:
        return f"Did you mean --data {extra}?"
    return ""
