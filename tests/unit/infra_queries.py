"""Every query that the code asks Firestore, so that infra/indexes.tf can be held against them.

A query is found in the source where it is made; `test_infra_indexes.py` fails where one is missing here, or
asks for a field that is not said here.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("shared", "functions", "cli", "long_job", "deploy")
EQUALITIES = frozenset({"==", "in"})
RANGES = frozenset({"<", "<=", ">", ">="})
OPERATORS = EQUALITIES | RANGES | {"!=", "not-in", "array_contains", "array_contains_any"}
ASKING = frozenset({"order_by", "find_nearest", "collection_group"})


class Query(NamedTuple):
    """What Firestore needs an index for: fields compared, the one that is ordered or bounded, a vector."""

    collection: str
    equal: tuple[str, ...] = ()
    contains: str | None = None
    order: str | None = None
    descending: bool = False
    group: bool = False
    vector: str | None = None


# Named as `module:function` of the call that makes it.
_TICK = [
    Query("documents", ("results_pending",), order="updated_at"),
    Query("documents", ("purge_pending",), order="updated_at"),
    Query("documents", ("stale_artefacts",)),
    Query("documents", order="expires_at"),
]
_OUTCOMES = [
    Query("outcomes", order="completed_at"),
    Query("outcomes", ("organisation_key",), order="completed_at"),
]
_NEWEST_OUTCOMES = [query._replace(descending=True) for query in _OUTCOMES]
_SEARCHES = [
    Query("passages", fields, contains, group=True, vector="embedding")
    for fields in (("space",), ("document", "space"))
    for contains in (None, "topic_names")
]
_FILTERS = [
    Query("passages", ("run", *sentiment, *action, *initiative), topic, order, descending=order == "salience")
    for topic in (None, "topic_names")
    for sentiment in ((), ("sentiment.label",))
    for action in ((), ("action.label",))
    for initiative in ((), ("initiative",))
    for order in ("index", "salience")
]
_QUEUES = [
    Query("passages", ("kind", *document), topic, "check", descending=True, group=True)
    for document in ((), ("document",))
    for topic in (None, "topic_names")
]
_CATALOGUE = [
    Query("documents", equal, contains, order, descending=order != "name")
    for order in ("created_at", "name", "year", "initiatives")
    for state in ((), ("state",))
    for organisation in ((), ("organisation_key",))
    for year in ((), *([("year",)] if order != "year" else []))
    for language in ((), ("language",))
    for equal in ((*state, *organisation, *year, *language),)
    for contains in (None, "facets")
]
_RUN = Query("passages", ("run",), order="index")

QUERIES: dict[str, list[Query]] = {
    "shared.api.findings:_recent": [
        Query("ticks", ("state",), order="slot", descending=True),
        Query("deliveries", ("state",), order="next_at", descending=True, group=True),
    ],
    "shared.api.findings:check_notified": [
        Query("deliveries", ("state",), order="next_at", descending=True, group=True)
    ],
    "shared.api.findings:check_dead_letters": [Query("dead_letters", order="recorded_at", descending=True)],
    "shared.api.findings:check_failed": [Query("documents", ("state",))],
    "shared.api.findings:check_models_of_results": [Query("documents", ("state", "model"))],
    "shared.api.findings:check_announced": [_TICK[0]],
    "shared.api.erasing:_erase_results": [
        Query("digests", contains="quoted"),
        Query("documents", ("sha256",)),
    ],
    "shared.api.erasing:_members": [Query("documents", order="name")],
    "shared.api.erasing:holding": [Query("documents", order="__name__")],
    "shared.documents.replay:replay": [
        Query("documents", ("state",)),
        Query("documents", ("state",), order="updated_at"),
    ],
    "cli.results:newest_first": [Query("documents", order="created_at", descending=True)],
    "shared.documents.contents:published_passages": [_RUN],
    "cli.jobs:_training_of": [Query("jobs", contains="met_by")],
    "deploy.trial:_die": [Query("dead_letters", ("data.sha256",))],
    "deploy.trial:clear": [Query("documents", order="name"), Query("dead_letters", ("function",))],
    "functions.sweep.main:oldest_unfinished": [Query("documents", ("state",), order="timings.uploaded_at")],
    "functions.sweep.main:on_tick": _TICK,
    "shared.documents.recovery:standing_still": [
        Query("documents", ("state",), order="lease.expires_at"),
        Query("documents", ("state",), order="updated_at"),
    ],
    "functions.console.operations:_oldest": [Query("documents", ("state",), order="timings.uploaded_at")],
    "functions.console.document:_from": [_RUN],
    "functions.console.document:_on_page": [Query("passages", ("run", "page"), order="index")],
    "long_job.comparison:_passages": [_RUN],
    "long_job.delegated:DelegatedRun.siblings_at_work": [Query("leases", ("run",))],
    "shared.documents.replay:dead_letters": [Query("dead_letters", order="recorded_at", descending=True)],
    "shared.api.stored:list_initiatives": [
        Query("passages", ("initiative", *action), topic, "salience", descending=True, group=True)
        for action in ((), ("action.label",))
        for topic in (None, "topic_names")
    ],
    "shared.api.stored:list_passages": _FILTERS,
    "shared.documents.catalogue:_query": _CATALOGUE,
    "shared.documents.catalogue:_where": [  # to count
        one._replace(order=None, descending=False) for one in _CATALOGUE if one.order == "created_at"
    ],
    "shared.jobs.listing:_pages": [
        Query("documents", order="name"),
        Query("documents", order="created_at"),
    ],
    "shared.jobs.listing:list_again": [Query("documents", ("outcome",))],
    "shared.jobs.listing:counts": [Query("documents", ("outcome",))],
    "shared.jobs.listing:pages": [Query("documents", ("settled",))],
    "shared.documents.corrections:_log": [Query("corrections", ("text_hash",))],
    "shared.documents.corrections:labelled_rows": [Query("corrections", group=True)],
    "shared.documents.corrections:_twins": [Query("passages", ("text_hash",))],
    "shared.documents.corrections:_doubtful": _QUEUES,
    "shared.documents.batches:of_run": [Query("batches", ("run",))],
    "shared.documents.batches:count_done": [Query("batches", ("run", "done"))],
    "shared.digests.compute.measures:_counted": _OUTCOMES,
    "shared.digests.compute.measures:_stored": [Query("digests", ("schedule", "asked", "end"))],
    "shared.digests.compute.window:problems": [Query("outcomes", order="problem.at")],
    "shared.digests.compute.window:received": [Query("documents", ("members",), order="received_at")],
    "shared.digests.compute.window:waiting": [Query("documents", ("state",), order="waiting_since")],
    "shared.digests.compute.rows:of_organisation": [_OUTCOMES[1], _NEWEST_OUTCOMES[1]],
    "shared.digests.compute.window:Earlier._reports": [_NEWEST_OUTCOMES[1]],
    "shared.digests.compute.window:compare_with_earlier": _NEWEST_OUTCOMES,
    "shared.digests.compute.window:Counted.__init__": _OUTCOMES,
    "shared.digests.store:unwritten": [Query("digests", order="unwritten_since")],
    "shared.digests.store:redact": [Query("digests", contains="quoted")],
    "shared.digests.store:_of_schedule": [
        Query("digests", order="end", descending=True),
        Query("digests", ("schedule",), order="end", descending=True),
    ],
    "shared.digests.notify.outbox:due": [Query("deliveries", ("state",), order="next_at", group=True)],
    "shared.digests.ticks:unfinished": [Query("ticks", ("state",))],
    "shared.digests.issue:_reasons": [
        Query("documents", order="timings.completed_at"),
        Query("outcomes", order="completed_at"),
    ],
    "shared.documents.compare:_documents_of": [Query("outcomes", ("organisation_key", "year"))],
    "shared.documents.erasure:erase_stored": [Query("contents", ("document",))],
    "shared.documents.figures:_stored": [  # by name, which is the order of every index
        Query("outcomes"),
        Query("outcomes", ("organisation_key",)),
        Query("outcomes", contains="codes"),
        Query("outcomes", ("organisation_key",), "codes"),
    ],
    "shared.documents.passages:purge_runs": [
        Query(collection, order="run") for collection in ("passages", "batches", "leases")
    ],
    "shared.documents.search:_nearest": _SEARCHES,
}

HELPERS = {
    "shared.platform.clients:where",
    "shared.documents.store:select",
    "shared.digests.compute.rows:Rows.count",
    "shared.digests.compute.rows:Rows.matching",
    "shared.digests.compute.rows:Rows.range",
    "shared.digests.compute.rows:between",
}
"""They make a query of conditions that their callers name."""


def sites() -> dict[str, set[tuple[str, str]]]:
    """Every function that names a condition, asks for an order or uses a helper; with the (field, operator)s.

    A field that is a variable is the empty string.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            _visit(ast.parse(path.read_text()), module, "", found)
    return found


def _visit(node: ast.AST, module: str, inside: str, found: dict[str, set[tuple[str, str]]]) -> None:
    for child in ast.iter_child_nodes(node):
        here = inside
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            here = f"{inside}.{child.name}".removeprefix(".")
        elif (conditions := _asked(child)) is not None:
            found.setdefault(f"{module}:{here}", set()).update(conditions)
        _visit(child, module, here, found)


def _asked(node: ast.AST) -> set[tuple[str, str]] | None:
    """The conditions that a call or a tuple names; None where it asks for nothing."""
    if isinstance(node, ast.Call):
        parts = node.args
        attribute = node.func.attr if isinstance(node.func, ast.Attribute) else None
        # The client sends it as the opposite order, which is not what stands in the source, nor in `QUERIES`.
        assert attribute != "limit_to_last", "order the other way and use limit: each order has its own index"
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        of_rows = attribute in {"range", "count", "matching"} and owner.rpartition(".")[2] == "rows"
        asks = of_rows or attribute in ASKING or ast.unparse(node.func) in {"FieldFilter", "where"}
    elif isinstance(node, ast.Tuple):
        parts, asks = node.elts, False
    else:
        return None
    conditions = {
        (str(field.value) if isinstance(field, ast.Constant) else "", str(operator.value))
        for field, operator in pairwise(parts)
        if isinstance(operator, ast.Constant) and operator.value in OPERATORS and not _other(field)
    }
    return conditions if asks or conditions else None


def _other(field: ast.expr) -> bool:
    """Whether this is the name of no field, as in `text.replace("{", "<")`."""
    return isinstance(field, ast.Constant) and not re.fullmatch(r"[a-z_][\w.]*", str(field.value))
