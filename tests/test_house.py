"""The house rules that no other tool holds: no circles of modules, and few imports that are not at a module's head."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import camn

SOURCE = Path(camn.__file__).parent
LATER = {"cluster/worker.py", "commands/segmenting.py", "web/server.py"}  # CONTRIBUTING.md says why


def modules() -> dict[str, ast.Module]:
    """By their dotted names; a package has that of its folder."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text())
    return found


def imported(node: ast.AST, known: dict[str, ast.Module]) -> set[str]:
    """Modules of camn that one statement imports."""
    if isinstance(node, ast.Import):
        return {name.name for name in node.names} & known.keys()
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("camn"):
        return set()
    assert node.module and node.level == 0
    inner = {f"{node.module}.{name.name}" for name in node.names} & known.keys()
    return inner if len(inner) == len(node.names) else inner | {node.module}


def for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def test_no_module_imports_itself_round_a_circle():
    known = modules()
    at_head = {
        name: set().union(*(imported(node, known) for node in tree.body if not for_types(node))) - {name}
        for name, tree in known.items()
    }
    try:
        TopologicalSorter(at_head).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_imports_are_at_the_head_but_for_those_that_the_rules_name():
    known, late = modules(), set()
    for path in SOURCE.rglob("*.py"):
        functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
        if any(imported(node, known) for function in functions for node in ast.walk(function)):
            late.add(path.relative_to(SOURCE).as_posix())
    assert late == LATER
