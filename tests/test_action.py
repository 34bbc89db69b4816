"""The GitHub Action and the pre-commit hook, whose steps are run here as a runner would run them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgedigits.cli.diff import command
from edgedigits.datasets.places import Source

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
INSTALL, COMPARE = ACTION["runs"]["steps"]
MODELS = ROOT / "models"

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def words_of(step: dict[str, Any], inputs: dict[str, str], outputs: dict[str, str]) -> dict[str, str]:
    """The environment of a step, with its expressions replaced as GitHub does it."""
    values = {name: entry.get("default", "") for name, entry in ACTION["inputs"].items()} | inputs

    def value(match: "re.Match[str]") -> str:
        place = match[1].strip()
        return values[place.removeprefix("inputs.")] if place.startswith("inputs.") else outputs[place]

    return {name: re.sub(r"\$\{\{(.*?)\}\}", value, text) for name, text in step["env"].items()}


@pytest.fixture
def compare(tmp_path: Path, mnist_source: Source) -> Any:
    """Run the step that compares in a folder of its own; return status, what it said, the summary, and the outputs."""

    def run(
        folder: Path = ROOT, **inputs: str
    ) -> "tuple[subprocess.CompletedProcess[str], str, dict[str, str]]":
        summary, output = tmp_path / "summary.md", tmp_path / "output"
        outputs = {"steps.install.outputs.python": sys.executable}
        inputs = {
            "data": str(mnist_source.path),
            **{key.replace("_", "-"): value for key, value in inputs.items()},
        }
        done = subprocess.run(
            ["bash", "-c", COMPARE["run"]],
            cwd=folder,
            env={
                **os.environ,
                **words_of(COMPARE, inputs, outputs),
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_OUTPUT": str(output),
                "RUNNER_TEMP": str(tmp_path),
            },
            capture_output=True,
            text=True,
        )
        said = output.read_text().splitlines() if output.exists() else []
        text = summary.read_text() if summary.exists() else ""
        return done, text, dict(line.split("=", 1) for line in said)

    return run


def test_nothing_that_a_user_names_is_put_into_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        assert "uses" not in step


def test_every_input_is_read_and_every_option_exists() -> None:
    expressions = " ".join(text for step in ACTION["runs"]["steps"] for text in step["env"].values())
    assert set(ACTION["inputs"]) == set(re.findall(r"inputs\.([\w-]+)", expressions))
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    assert set(re.findall(r"words(?:\+)?=\((.*?)\)", COMPARE["run"])) >= {"--strict"}
    used = {
        word
        for line in re.findall(r"words\+?=\((.*?)\)", COMPARE["run"])
        for word in re.findall(r"--[\w-]+", line)
    }
    assert used <= options


@needs_bash
@pytest.mark.mnist
def test_a_model_that_is_no_worse_passes_and_is_told_in_the_summary(compare: Any, tmp_path: Path) -> None:
    done, summary, outputs = compare(
        old="models/digits.onnx", new="models/digits.int8.onnx", max_loss="0.2", strict="true",
        junit=str(tmp_path / "diff.xml"), sheet=str(tmp_path / "diff.png"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert summary.startswith("### models/digits.onnx -&gt; models/digits.int8.onnx: passed\n")
    assert "- tied (p = " in summary
    assert Path(outputs["markdown"]).read_text() == summary
    assert (tmp_path / "diff.xml").exists()
    assert (tmp_path / "diff.png").exists()


@needs_bash
@pytest.mark.mnist
def test_a_model_that_is_worse_fails_the_step_and_is_told_all_the_same(compare: Any) -> None:
    tiny = MODELS / "tiny"
    done, summary, _ = compare(
        old=str(tiny / "tiny-16k.int8.onnx"), new=f"{tiny / 'tiny-2k.int8.onnx'}\n", max_loss="0.2"
    )
    assert done.returncode == 1
    assert ": FAILED\n" in summary
    assert "- gate: FAIL: at 95 % confidence more than 0.2 points are lost" in summary


@needs_bash
def test_a_file_that_is_missing_fails_without_a_summary(compare: Any) -> None:
    done, summary, outputs = compare(old="models/digits.onnx", new="models/none.onnx")
    assert (done.returncode, summary, outputs) == (1, "", {})
    assert "models/none.onnx: no such model file" in done.stderr


@needs_bash
def test_what_an_input_says_is_a_name_and_no_command(compare: Any, tmp_path: Path) -> None:
    done, _, _ = compare(old="$(touch made)", new="; touch made\n`touch made`", folder=tmp_path)
    assert done.returncode == 2  # three files
    assert not (tmp_path / "made").exists()


@needs_bash
def test_the_step_before_installs_what_the_lock_names_and_nothing_else(tmp_path: Path) -> None:
    # What pip is asked for; installing it takes a minute and an index. `python` stands in for a new environment's.
    (tmp_path / "python").write_text(
        '#!/bin/sh\n[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && exit\n'
        'echo "$@" > "$RUNNER_TEMP/asked"\n'
    )
    (tmp_path / "python").chmod(0o755)
    environment = {
        **os.environ,
        **words_of(INSTALL, {"python": str(tmp_path / "python")}, {}),
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "RUNNER_TEMP": str(tmp_path),
    }
    subprocess.run(["bash", "-c", INSTALL["run"]], check=True, env=environment)
    asked = (tmp_path / "asked").read_text().split()
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} < set(asked)
    assert asked[-2:] == ["-r", str(ROOT / ".github" / "diff.lock")]
    assert (tmp_path / "output").read_text() == f"python={tmp_path}/edgedigits-diff/bin/python\n"


def test_the_hook_s_command_is_there() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    words = hook["entry"].split()
    assert words[:2] == ["edgedigits", "diff"]
    context = command.make_context("diff", [*words[2:], *hook["args"], "a.onnx"])
    assert (context.params["against"], context.params["max_loss"]) == ("HEAD", 0.2)
    assert re.search(hook["files"], "models/digits.int8.onnx")
    assert not re.search(hook["files"], "models/digits.onnx.txt")
