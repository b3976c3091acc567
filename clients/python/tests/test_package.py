"""The built package: installed in a clean environment, type-checked, and run against a server."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

CLIENT = Path(__file__).parents[1]
REPOSITORY = CLIENT.parents[1]
PREAMBLE = """
from versioner_client import ValidationError, Versioner, models, operations
client = Versioner()
product_id = "01a208e8-3984-70ee-9241-9fbc66602e9b"
"""
WRONG = """
from versioner_client import Versioner, models
client = Versioner()
client.list_deployments(status="unknown")
models.DeploymentEvent(product_name="a", version="1")
number: int = client.get_health().version
"""


class Server(NamedTuple):
    url: str
    key: str
    token: str


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", out, CLIENT)
    (built,) = out.glob("versioner_client-*-py3-none-any.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment, with the wheel and its dependencies."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=True)
    interpreter = home / "bin" / "python"
    pinned = tmp_path_factory.mktemp("lock") / "constraints.txt"
    lock = re.findall(r"^(\w.*?) \\$", (CLIENT / "requirements-dev.txt").read_text(), re.MULTILINE)
    pinned.write_text("\n".join(lock))
    run(interpreter, "-m", "pip", "install", "--quiet", "--constraint", pinned, wheel)
    return interpreter


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A directory that all users can read: the server started by root runs PostgreSQL as another user."""
    with tempfile.TemporaryDirectory(prefix="versioner-") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    if shutil.which("go") is None and "CI" not in os.environ:
        pytest.skip("go is not installed, and the server cannot be built")
    program, data = home / "versionerd", home / "data"
    run("go", "build", "-o", program, "./cmd/versionerd", cwd=REPOSITORY)
    env = {k: v for k, v in os.environ.items() if k != "DATABASE_URL" and not k.startswith("VERSIONER_")}
    command: list[str | Path] = [program, "dev", "--addr", "127.0.0.1:0", "--data-dir", data]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            banner = "".join(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
            watchdog.cancel()
            url = re.search(r"listening on (\S+)", banner)
            assert url, (home / "log").read_text()
            key = re.search(r"Bearer (sk_\w+)", banner)
            assert key, banner
            yield Server(url[1], key[1], run(program, "token", "--data-dir", data, env=env).strip())
        finally:
            watchdog.cancel()
            process.terminate()
            process.communicate()


def blocks() -> list[str]:
    """The code in the README: two programs, then two fragments."""
    found = re.findall(r"^ *```python\n(.*?)^ *```", (CLIENT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert ["import" in block for block in found] == [True, True, False, False]
    return [textwrap.dedent(block) for block in found]


def examples() -> list[str]:
    """The programs of the README."""
    return blocks()[:2]


def parts() -> str:
    """The fragments in the README, completed to a program."""
    catching, revising = blocks()[2:]
    return f"{PREAMBLE}try:\n    client.get_health()\n{catching}{revising}"


def mypy(python: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        python.parent.parent / "mypy",  # the checks of this environment share what is known of the packages
        "--python-executable",
        python,
        *files,
    ]
    return subprocess.run([*command, "--python-version=3.10"], cwd=files[0].parent, capture_output=True, text=True)


def test_the_wheel_has_the_expected_files(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "versioner_client/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if not re.match(r"versioner_client(-[\d.]+\.dist-info)?/", name)]


def test_mypy_accepts_the_sample_and_the_readme(python: Path, tmp_path: Path) -> None:
    sources = [(CLIENT / "tests" / "sample.py").read_text(), *examples(), parts()]
    files = [tmp_path / f"sample_{number}.py" for number in range(len(sources))]
    for file, source in zip(files, sources, strict=True):
        file.write_text(source)
    done = mypy(python, *files)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_mypy_finds_wrong_types(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text(WRONG)
    assert "Found 3 errors" in mypy(python, file).stdout


def test_the_sample_runs_against_a_server(python: Path, server: Server) -> None:
    assert run(python, "-W", "error", CLIENT / "tests" / "sample.py", *server) == "done\n"


def test_the_examples_run_against_a_server(python: Path, server: Server, tmp_path: Path) -> None:
    pipeline, awaiting = (source.replace("https://versioner.example.com", server.url) for source in examples())
    env = {"VERSION": "9.9.9", "VERSIONER_API_KEY": server.key}
    (tmp_path / "pipeline.py").write_text(pipeline)
    assert run(python, tmp_path / "pipeline.py", env=env).endswith(" completed\n")
    (tmp_path / "awaiting.py").write_text(awaiting.replace("eyJ…", server.token))
    assert "checkout 9.9.9 " in run(python, tmp_path / "awaiting.py")
