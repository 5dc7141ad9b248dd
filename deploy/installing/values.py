"""What a person decides: asked for once, and kept in infra/terraform.tfvars, which Terraform reads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.installing.problems import Refusal
from deploy.installing.shell import ROOT
from deploy.quotas import SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = ROOT / "infra" / "terraform.tfvars"
HEAD = """# Made by deploy/install. What else can be set: infra/variables.tf, infra/terraform.tfvars.example.
# After a change: deploy/install upgrade
"""
ASSIGNED = re.compile(r'^(\w++)[ \t]*+=[ \t]*+("[^"\n]*+"|\[[^\][]*+\])', re.MULTILINE)
SWITCHED = re.compile(r"^(\w++)[ \t]*+=[ \t]*+(?!null\b|false\b|\[\])\S", re.MULTILINE)
GPU = re.compile(r"^long_job *+= *+\{[^{}]*\bgpu *+= *+true", re.MULTILINE)
NO_JOB = re.compile(r"^long_job *+= *+\{[^{}]*\benabled *+= *+false", re.MULTILINE)

Value = str | list[str]
DEFAULTS: dict[str, Value] = {"region": "europe-west1", "size": SIZES[0]}
"""Values of the same variables where infra/variables.tf is not told any."""


@dataclass(frozen=True)
class Question:
    """One value: how it is asked for, and what it must look like."""

    name: str
    text: str
    pattern: re.Pattern[str]
    wrong: str
    many: bool = False


PROJECT = Question(
    "project",
    "Id of the Google Cloud project, best one of its own",
    re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
    "A project id has 6 to 30 lower-case letters, digits and hyphens.",
)
REST = (
    Question(
        "region",
        "Region, which can never be changed",
        re.compile(r"^[a-z]++-[a-z]++[0-9]++"),
        "A region is named like europe-west1.",
    ),
    Question(
        "size",
        "Size: small (fits the quotas of a new project), medium or large",
        re.compile("|".join(SIZES)),
        "small, medium or large.",
    ),
    Question(
        "console_people",
        "Who may open the console: user:…, group:…, domain:…; or allUsers: everybody who has a key",
        re.compile(r"allUsers|(user|group|domain|serviceAccount):[^\s\"$%]+"),
        "user:ada@example.org, group:csr@example.org, domain:example.org, or allUsers alone.",
        many=True,
    ),
    Question(
        "alert_emails",
        "E-mail addresses that alerts go to",
        re.compile(r"^[^@\s\"$%]++@[^@\s\"$%]++"),
        "E-mail addresses, with commas between them.",
        many=True,
    ),
)


def checked(question: Question, given: str) -> Value:
    """Return an answer as the value that it is.

    Raises:
        Refusal: it does not look like one.
    """
    parts = [part for part in re.split(r"[,\s]+", given) if part] if question.many else [given.strip()]
    mixed = "allUsers" in parts and len(parts) > 1
    if mixed or not parts or not all(question.pattern.fullmatch(part) for part in parts):
        raise Refusal("bad-value", f"{question.name}: {given!r} will not do.", question.wrong)
    return parts if question.many else parts[0]


def read(text: str) -> dict[str, Value]:
    """Return the strings and lists of strings that a file of variables assigns."""
    found: dict[str, Value] = {}
    for name, value in ASSIGNED.findall(text):
        strings = re.findall(r'"([^"\n]*)"', value)
        found[name] = strings if value.startswith("[") else strings[0]
    return found


def written(values: Mapping[str, Value]) -> str:
    """Return values as a file of variables."""
    return HEAD + "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def switched_on(text: str) -> set[str]:
    """Return what `when` of infra/apis.json is true of, by a file of variables."""
    on = {"always"} | set(SWITCHED.findall(text))
    if set(read(text).get("console_people", ())) - {"allUsers"}:
        on.add("console_iap")
    if on & {"private_egress", "domain"}:
        on.add("network")
    return on


def agree(stored: Mapping[str, Value], given: Mapping[str, Value]) -> None:
    """Hold options against the file, which is kept as it is.

    Raises:
        Refusal: they say something else.
    """
    for name, value in given.items():
        if stored.get(name) != value:
            has = f"{name} = {json.dumps(stored.get(name))}"
            raise Refusal(
                "other-value",
                f"infra/terraform.tfvars has {has}, not {json.dumps(value)}.",
                "For another project take another checkout; else change the file: deploy/install upgrade",
            )


def ask(question: Question, default: Value, *, assume: bool) -> Value:
    """Ask until the answer will do; with `assume`, or for an empty answer, take the default.

    Raises:
        Refusal: nobody answers, or there is no default to assume.
    """
    while True:
        answer = "" if assume else typed(f"{question.text}{f' [{default}]' if default else ''}: ")
        try:
            return checked(question, answer or str(default))
        except Refusal as refusal:
            if assume:
                raise
            print(f"  {refusal.hint}")


def confirm(text: str, *, assume: bool) -> bool:
    """Ask for yes or no, which is the default."""
    return assume or typed(f"{text} [y/N] ").lower() in {"y", "yes"}


def typed(text: str) -> str:
    """Return what a person types.

    Raises:
        Refusal: nobody can.
    """
    try:
        return input(text).strip()
    except EOFError:
        raise Refusal("no-answer", "Nobody answers.", "Give the values as options, with --yes.") from None
