"""The rules of DESIGN.md as functions: a tree of modules in, sentences about what breaks the rule out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tests.architecture.tree import Module

Rule = Callable[[Sequence[Module]], list[str]]
ROOT = "deploykit"
MOST_LINES = 400

_BASE = {"errors", "config", "model"}
_WORLD = _BASE | {"edges"}
_KNOWN = _WORLD | {"ledger", "probes"}
_ACTS = _KNOWN | {"targets", "judge", "preflight", "images"}
MAY_IMPORT: dict[str, set[str]] = {
    "": set(),
    "errors": set(),
    "model": set(),
    "config": {"errors", "model"},
    "report": {"model", "errors"},
    "edges": _BASE,
    "ledger": _WORLD,
    "probes": _WORLD,
    "images": _KNOWN,
    "judge": _KNOWN,
    "preflight": _KNOWN,
    "targets": _KNOWN,
    "deploy": _ACTS,
    "init": _WORLD | {"targets"},
    "commands": _ACTS | {"deploy", "init"},
    "sandbox": _BASE,
    "demo": _BASE | {"sandbox", "report"},
    "cli": _ACTS | {"deploy", "commands", "init", "report", "sandbox", "demo"},
    "__main__": {"cli", "errors", "model", "report", "edges"},
}
"""Package to the other packages it may import; every package must stand here. Imports point one way."""

AWS_LIBRARIES = {"boto3", "botocore", "s3transfer"}
TIME = {
    "time.sleep",
    "time.time",
    "time.monotonic",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}
ACCUMULATE = {
    "RolloutWatch", "Rollouts", "ServiceDeployments", "Suspicion", "TaskWatch", "LogTail",  # polls
    "Proof", "Past", "Judge", "EndpointWatch", "Tally",  # rounds of samples
}  # fmt: skip
"""Classes that are a poll's own state; the run's is the journal's, in ledger/."""
FOREIGN = re.compile(
    r"(?i)\b(mend(s|ed)?|put(s|ting)? back|gone to|go(es)? on|going on|name service|(is|are) held to)\b"
)
"""fix · restored, rolled back · rolled back to · continues · DNS · must"""
NO_VERBS = {"__init__.py", "app.py", "options.py", "run.py", "steps.py"}
ELSEWHERE = {"sandbox.py", "demo.py", "schema.py"}
"""Verbs whose story is a package of its own (sandbox/, demo/), or one line (config/json_schema.py)."""
ON_THE_WAY = ("cli", "commands", "deploy", "targets", "judge", "preflight", "images", "ledger", "probes")
MOST_OF_A_PACKAGE = 2600  # lines
ENDS = {"sys.exit", "os._exit", "os.abort", "exit", "quit", "SystemExit"}
PROGRAMS_OF_THEIR_OWN = ("deploykit/sandbox/", "deploykit/demo/")
"""What runs in processes of its own: the local AWS, the containers of the small platform."""
_VERBS = "init|plan|deploy|build|push|migrate|rollout|invalidate|check|rollback|status|history|logs|sandbox|demo|schema"
COMMAND_IN_PROSE = re.compile(rf"(?m)(?:^[ \t]*(?:→ )?|[`']|: )deploykit (?:(?:{_VERBS})\b|$)")
NAMED_SO = ("deploykit/cli/demo.py", "deploykit/demo/", "deploykit/sandbox/cdn.py")
"""Where the same words are a name: a picture's title, a commit's author, the comment on a distribution."""
TAKEN_WORDS = {"Deployment", "Manager", "Helper", "Util", "Utils", "Context", "Data"}
AWS_NOUNS = {"ServiceDeployment"}
"""What AWS itself calls so: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html"""


def imports_point_one_way(tree: Sequence[Module]) -> list[str]:
    found = []
    for module in tree:
        if module.package not in MAY_IMPORT:
            found.append(f"{module.path}: package {module.package!r} has no line in MAY_IMPORT")
            continue
        may = MAY_IMPORT[module.package] | {module.package, "__version__"}
        found += [
            f"{module.path}:{line}: {module.package} imports {package}"
            for package, line in _packages(module)
            if package not in may
        ]
    return found


def packages_have_no_cycles(tree: Sequence[Module]) -> list[str]:
    edges: dict[str, set[str]] = {}
    for module in tree:
        others = {package for package, _ in _packages(module)} - {module.package, "__version__"}
        edges.setdefault(module.package, set()).update(others)
    return [" → ".join(cycle) for cycle in _cycles(edges)]


def no_room_reaches_itself(tree: Sequence[Module]) -> list[str]:
    """Inside a package, at every level: each file and each folder is one room, and no room imports its way back."""
    paths = {module.name: module.path for module in tree}
    edges: dict[str, dict[str, set[str]]] = {}
    for module in tree:
        for use in module.imports():
            if fork := _fork(module.path, _file_of(use.name, paths)):
                folder, room, other = fork
                edges.setdefault(folder, {}).setdefault(room, set()).add(other)
    return [f"{folder}: {' → '.join(cycle)}" for folder in sorted(edges) for cycle in _cycles(edges[folder])]


def no_folder_of_the_sandbox_reaches_itself(tree: Sequence[Module]) -> list[str]:
    """Stricter: the files that lie in a folder itself are one room, too, so that nothing below knows what is above."""
    paths = {module.name: module.path for module in tree}
    edges: dict[str, set[str]] = {}
    for module in tree:
        if module.package == "sandbox":
            own = module.path.rpartition("/")[0]
            others = {_file_of(use.name, paths).rpartition("/")[0] for use in module.imports()}
            edges.setdefault(own, set()).update(others - {own})
    return [" → ".join(cycle) for cycle in _cycles(edges)]


def only_the_aws_edges_and_the_sandbox_know_boto3(tree: Sequence[Module]) -> list[str]:
    return _imported(tree, AWS_LIBRARIES, ("deploykit/edges/aws/", "deploykit/sandbox/"))


def only_probes_and_the_http_edges_know_requests(tree: Sequence[Module]) -> list[str]:
    own = ("deploykit/probes/", "deploykit/edges/http", "deploykit/edges/github", "deploykit/edges/oidc")
    return _imported(tree, {"requests", "urllib3"}, own)


def only_config_and_the_ledgers_codec_know_pydantic(tree: Sequence[Module]) -> list[str]:
    return _imported(tree, {"pydantic", "pydantic_core"}, ("deploykit/config/", "deploykit/ledger/codec.py"))


def only_report_knows_rich(tree: Sequence[Module]) -> list[str]:
    return _imported(tree, {"rich"}, ("deploykit/report/",))


def nothing_depends_on_being_in_the_sandbox(tree: Sequence[Module]) -> list[str]:
    own = ("deploykit/sandbox/", "deploykit/demo/", "deploykit/cli/sandbox.py", "deploykit/cli/demo.py")
    return [
        f"{module.path}:{line}: imports {package}"
        for module in _outside(tree, own)
        for package, line in _packages(module)
        if package in ("sandbox", "demo")
    ]


def the_sandbox_shares_no_code_with_the_edges(tree: Sequence[Module]) -> list[str]:
    return [
        f"{module.path}:{line}: imports {package}"
        for module in tree
        if module.package == "sandbox"
        for package, line in _packages(module)
        if package in (_ACTS | {"deploy", "commands", "init"}) - _BASE
    ]


def only_main_ends_the_process(tree: Sequence[Module]) -> list[str]:
    return _used(_outside(tree, ("deploykit/__main__.py", *PROGRAMS_OF_THEIR_OWN)), ENDS, catching=True)


def only_the_clock_knows_the_time(tree: Sequence[Module]) -> list[str]:
    return _used(_outside(tree, ("deploykit/edges/clock.py", *PROGRAMS_OF_THEIR_OWN)), TIME)


def files_stay_short(tree: Sequence[Module]) -> list[str]:
    counted = [(module.path, len(module.text.splitlines())) for module in tree]
    return [f"{path}: {lines} lines" for path, lines in counted if lines > MOST_LINES]


def words_that_others_own_name_no_class(tree: Sequence[Module]) -> list[str]:
    return [
        f"{module.path}:{use.line}: class {use.name}"
        for module in tree
        for use in module.classes()
        if use.name not in AWS_NOUNS
        and (any(use.name.endswith(word) for word in TAKEN_WORDS - {"Data"}) or use.name.strip("_") == "Data")
    ]


def commands_to_type_are_values(tree: Sequence[Module]) -> list[str]:
    """As a plain string a command would miss the --env and --config that this command line named (model/hint.py)."""
    return [
        f"{module.path}:{text.line}: {text.name!r}"
        for module in _outside(tree, NAMED_SO)
        for text in module.texts()
        if COMMAND_IN_PROSE.search(text.name)
    ]


def the_simulator_imports_nothing_of_deploykit(tree: Sequence[Module]) -> list[str]:
    return _imported(tree, {ROOT}, ())


def objects_do_not_change(tree: Sequence[Module]) -> list[str]:
    """On a run's way no field is assigned outside its object's constructor, but for what accumulates by its nature."""
    return [
        f"{module.path}:{use.line}: assigns {use.name}"
        for module in tree
        if module.package in ("commands", "deploy", "judge", "targets")
        for use in module.assigned_fields()
        if use.name.partition(".")[0] not in ACCUMULATE
    ]


def one_frame_round_a_run(tree: Sequence[Module]) -> list[str]:
    """Whatever happens in a run is written down in one place: there is one ``finally`` on its way."""
    told = [module for module in tree if module.package in ("commands", "deploy")]
    found = [f"{module.path}:{line}" for module in told for line in module.finals()]
    return found if len(found) > 1 or any(not place.startswith("deploykit/deploy/run.py") for place in found) else []


def every_verb_has_its_story(tree: Sequence[Module]) -> list[str]:
    """cli/X.py stands beside commands/X.py, where X.py tells what the verb does."""
    paths = {module.path for module in tree}
    verbs = {path.removeprefix("deploykit/cli/") for path in paths if path.startswith("deploykit/cli/")} - NO_VERBS
    stories = {path.removeprefix("deploykit/commands/") for path in paths if path.startswith("deploykit/commands/")}
    return sorted((verbs - ELSEWHERE) ^ (stories - {"__init__.py"}))


def words_are_plain_english(tree: Sequence[Module]) -> list[str]:
    """Those of AWS's and GitHub's own pages, in messages, docstrings and comments (DESIGN.md, "Words")."""
    lines = ((module.path, number, line) for module in tree for number, line in enumerate(module.text.splitlines(), 1))
    return [f"{path}:{number}: {found[0]!r}" for path, number, line in lines if (found := FOREIGN.search(line))]


def packages_stay_small(tree: Sequence[Module]) -> list[str]:
    lines: Counter[str] = Counter()
    for module in tree:
        lines[module.package] += len(module.text.splitlines())
    return [f"{name}: {lines[name]} lines" for name in ON_THE_WAY if lines[name] > MOST_OF_A_PACKAGE]


RULES: tuple[Rule, ...] = (
    imports_point_one_way,
    packages_have_no_cycles,
    no_room_reaches_itself,
    no_folder_of_the_sandbox_reaches_itself,
    only_the_aws_edges_and_the_sandbox_know_boto3,
    only_probes_and_the_http_edges_know_requests,
    only_config_and_the_ledgers_codec_know_pydantic,
    only_report_knows_rich,
    nothing_depends_on_being_in_the_sandbox,
    the_sandbox_shares_no_code_with_the_edges,
    only_main_ends_the_process,
    only_the_clock_knows_the_time,
    files_stay_short,
    packages_stay_small,
    objects_do_not_change,
    one_frame_round_a_run,
    every_verb_has_its_story,
    words_are_plain_english,
    words_that_others_own_name_no_class,
    commands_to_type_are_values,
)
"""What holds for the package itself."""


def _packages(module: Module) -> Iterator[tuple[str, int]]:
    """The packages of ours that ``module`` imports, with the line."""
    for use in module.imports():
        if use.name == ROOT or use.name.startswith(f"{ROOT}."):
            yield ([*use.name.split("."), ""])[1], use.line


def _file_of(name: str, paths: Mapping[str, str]) -> str:
    """The file that a dotted name leads to: the module itself or what defines it; empty for another library's."""
    while name not in paths and "." in name:
        name = name.rpartition(".")[0]
    return paths.get(name, "")


def _fork(path: str, other: str) -> tuple[str, str, str] | None:
    """The folder where two files of one package part, and the room there of each; None for two packages."""
    parts, others = path.split("/"), other.split("/")
    shared = next((i for i, (a, b) in enumerate(zip(parts, others, strict=False)) if a != b), 0)
    return ("/".join(parts[:shared]), parts[shared], others[shared]) if shared >= 2 else None


def _outside(tree: Iterable[Module], own: tuple[str, ...]) -> list[Module]:
    return [module for module in tree if not module.path.startswith(own)]


def _imported(tree: Iterable[Module], libraries: set[str], own: tuple[str, ...]) -> list[str]:
    modules = _outside(tree, own) if own else list(tree)
    return [
        f"{module.path}:{use.line}: imports {use.name}"
        for module in modules
        for use in module.imports()
        if use.name.split(".")[0] in libraries
    ]


def _used(tree: Iterable[Module], names: set[str], *, catching: bool = False) -> list[str]:
    found = []
    for module in tree:
        caught = module.caught_lines() if catching else set()
        found += [
            f"{module.path}:{use.line}: uses {use.name}"
            for use in module.uses()
            if use.name in names and use.line not in caught
        ]
    return found


def _cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """One way round for each package or room that can be reached from itself."""
    found = []
    for start in sorted(edges):
        ways = [[start]]
        seen: set[str] = set()
        while ways:
            way = ways.pop()
            for following in sorted(edges.get(way[-1], ())):
                if following == start:
                    found.append([*way, start])
                    ways.clear()
                    break
                if following not in seen:
                    seen.add(following)
                    ways.append([*way, following])
    return found
