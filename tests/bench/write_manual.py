"""Write the man page, temclean/data/temclean.1, from what the commands say of themselves; run when options change."""

from pathlib import Path

import click

import temclean
from temclean import cli
from temclean.commands import codes

PAGE = Path(temclean.__file__).parent / "data" / "temclean.1"

CODES = {
    codes.DONE: "all done",
    codes.FAILED: "some inputs failed, the others were done",
    codes.USAGE: "the command was wrong, or an extra is missing",
    codes.NO_DEVICE: "the device asked for is not there",
    codes.INTERRUPTED: "interrupted",
}


def page() -> str:
    """Return the whole page as roff."""
    context = click.Context(cli.cli, info_name="temclean")
    lines = [
        f'.TH TEMCLEAN 1 "" "temclean {temclean.__version__}" "User Commands"',
        ".SH NAME",
        r"temclean \- denoise and restore TEM, STEM and SEM images",
        ".SH SYNOPSIS",
        r"\fBtemclean\fR \fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...",
        ".SH DESCRIPTION",
        *_paragraphs(cli.cli.help),
        ".SH COMMANDS",
    ]
    for name, summary in cli.SUMMARIES.items():
        command = cli.cli.get_command(context, name)
        assert command is not None
        inner = click.Context(command, context, info_name=name)
        usage = " ".join(command.collect_usage_pieces(inner))
        lines += [f".SS temclean {_roff(name)} {_roff(usage)}"]
        if isinstance(command, click.Group) or name == "train":
            lines += [_roff(summary), f"Its methods and options: temclean {name} \\-\\-help."]
            continue
        lines += _paragraphs(command.help)
        for parameter in command.get_params(inner):
            record = parameter.get_help_record(inner) if isinstance(parameter, click.Option) else None
            if record:
                lines += [".TP", rf"\fB{_roff(record[0])}\fR", _roff(record[1]) or r"\&"]
    lines.append(".SH EXIT STATUS")
    for code, meaning in CODES.items():
        lines += [".TP", rf"\fB{code}\fR", meaning]
    lines += [
        ".SH ENVIRONMENT",
        ".TP",
        r"\fBTEMCLEAN_\fR\fICOMMAND\fR\fB_\fR\fIOPTION\fR",
        "A default for an option of a command, such as TEMCLEAN_DENOISE_DEVICE=cpu.",
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str | None) -> list[str]:
    lines = []
    for paragraph in (text or "").strip().split("\n\n"):
        lines += [".PP", _roff(" ".join(paragraph.split()))]
    return lines


def _roff(text: str) -> str:
    """Return text in which roff finds no orders."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + escaped if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
