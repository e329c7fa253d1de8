"""Crafted files: each ends within 5 s and 500 MB, in one clear line and with the right exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="each runs in a process forked off")
def test_crafted_files_end_well(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    pytest.importorskip("h5py", reason="the em extra is not installed")
    command = [sys.executable, str(Path(__file__).with_name("hostile.py")), "--json", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(outcome["name"], outcome["wrong"], outcome["lines"]) for outcome in outcomes if outcome["wrong"]] == []
    assert len(outcomes) > 30, done.stderr
    assert done.returncode == 0, done.stderr
