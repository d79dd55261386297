"""Programs that stand in for gcloud, kubectl and sbatch: they record their calls and answer as told."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent.parent

PROGRAM = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
with (folder / "calls.jsonl").open("a") as calls:
    given = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read()
    print(json.dumps({{"command": [{name!r}, *sys.argv[1:]], "stdin": given}}), file=calls)
path = folder / "answers.json"
answers = json.loads(path.read_text()) if path.exists() else []
for index, (words, output, code) in enumerate(answers):
    if all(any(word in argument for argument in sys.argv[1:]) for word in words.split()):
        if sum(other[0] == words for other in answers) > 1:  # the last of equal questions stays
            path.write_text(json.dumps(answers[:index] + answers[index + 1 :]))
        if output:
            print(output)
        sys.exit(code)
"""


class Recorded:
    """A folder of programs for PATH.

    `answers` are (words, output, exit code): a call gets the first whose words all occur in it.
    """

    def __init__(self, folder: pathlib.Path, *names: str, answers=()):
        self.folder = folder
        (folder / "bin").mkdir()
        for name in names:
            program = folder / "bin" / name
            program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder), name=name))
            program.chmod(0o755)
        (folder / "answers.json").write_text(json.dumps(list(answers)))

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """Runs a launcher of the project with the programs first on PATH."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", str(ROOT / "launch" / script), *arguments],
            env=os.environ | {"PATH": path, "POLL_SECONDS": "0", "TMPDIR": str(self.folder)} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def calls(self) -> list[dict]:
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def commands(self) -> list[list[str]]:
        return [call["command"] for call in self.calls]
