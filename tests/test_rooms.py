"""The house rules that a reader relies on: data flows one way, and no file holds more than one thing."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "slm_jax"
ROOMS = ["corpora", "tokenizer", "data", "model", "training", "evaluation", "scaling", "study"]
FILES = sorted(PACKAGE.rglob("*.py"))


def imported_rooms(path: pathlib.Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "slm_jax":
            names = [f"slm_jax.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        rooms |= {name.split(".")[1] for name in names if name.startswith("slm_jax.")}
    return rooms & set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_above_it(path):
    inside = path.relative_to(PACKAGE).parts[0]
    if inside not in ROOMS:
        return
    allowed = {"scaling"} if inside == "scaling" else set(ROOMS[: ROOMS.index(inside) + 1])
    if inside not in ("scaling", "study"):
        allowed -= {"scaling"}
    assert imported_rooms(path) <= allowed


def test_every_room_has_a_front_door_and_a_test_folder():
    for room in ROOMS:
        assert ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")))
        assert list((PACKAGE.parent / "tests" / room).glob("test_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_loads_a_pickle(path):
    text = path.read_text(encoding="utf-8")
    for loader in ("pickle.load", "joblib.load", "allow_pickle=True", "torch.load("):
        assert loader not in text
