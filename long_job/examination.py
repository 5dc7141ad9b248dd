"""One training from its rows to its report: read, learn, build, compare, publish."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from long_job.models import model_directory
from model_export.bucket import push
from model_export.build import build
from model_export.gate import GateFailed
from model_export.heads import load_card
from model_export.sources import load_packaged
from shared.inference.engine import Engine
from shared.platform.errors import Rejected, SetupError
from shared.platform.settings import settings
from training.compare import agreement, compare_models
from training.data import check_size, content
from training.in_use import features, in_use, store_trained, write_trained
from training.report import HeadReport, Learnt, Report, RowCounts, decide
from training.retrain import corpus, learn, shortage
from training.rows import CORRECTIONS, SOURCE, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from model_export.heads import Card, HeadName, Heads
    from training.data import Place
    from training.in_use import InUse
    from training.report import Data
    from training.targets import Corpus

LABEL_MORE = "Label more rows and start it again."


class Examination:
    """Makes one candidate and compares it. What is found is kept at once, so that a rejection says it too."""

    def __init__(  # noqa: PLR0913 - what is to be done, and whom to notify
        self,
        identifier: str,
        place: Place | None,
        scratch: Path,
        *,
        corrections: Sequence[Mapping[str, Any]] = (),
        check: Callable[[], None],
        begin_step: Callable[[str], None],
    ) -> None:
        """Read nothing yet; `scratch` is an empty directory, `corrections` are rows of what people said.

        `check` is called now and then and raises an error if the work must end; so does `begin_step`, which
        is told what is done next.
        """
        self._id = identifier
        self._place = place
        self._corrections = corrections
        self._scratch = scratch
        self._check, self._begin_step = check, begin_step
        self._found: dict[str, Any] = {}

    def report(self, data: Data, digest: str, weights: Path) -> Report:
        """Do it all; what is published is in the bucket before this returns.

        Raises:
            SetupError: the model in use or the encoder's weights are missing.
            HeadraceError: as `check` raises them.
        """
        self._found = {"id": self._id, "data": data, "in_use": digest}
        try:
            self._begin_step("reading")
            check_size(self._place, data.objects, len(self._corrections))
            model = in_use(model_directory(digest), digest, self._scratch)
            known = self._read(data, model)
            self._begin_step("learning")
            heads, reports = self._learn(model, known)
            if not any(report.retrained for report in reports.values()):
                return self._end("kept", "nothing_learnt", "Nothing learnt did better than what is in use.")
            self._begin_step("building")
            directory = self._build(model, heads, reports, known, weights)
            self._begin_step("comparing")
            code, reason = self._compare(model, directory, known, reports)
            if code != "better":
                return self._end("kept", code, reason)
            self._begin_step("publishing")
            return self._publish(directory, reason)
        except Rejected as rejected:
            return self._end("rejected", rejected.code, rejected.message, rejected.hint)
        except GateFailed as failed:
            return self._end("kept", "gate_failed", f"The candidate failed a gate: {failed.message}")

    def _end(self, state: str, code: str, reason: str, following: str = LABEL_MORE) -> Report:
        return Report.model_validate(
            self._found | {"state": state, "code": code, "reason": reason, "next": following}
        )

    def _read(self, data: Data, model: InUse) -> Corpus:
        rows = Rows(model.manifest.topics)
        rows.take(CORRECTIONS, enumerate(self._corrections, 1), CORRECTIONS)  # first: others contradict them
        for item in data.objects:
            self._check()
            assert self._place is not None
            rows.add(item.name, content(self._place, item))
        known = corpus(rows.examples, model.manifest.topics)
        self._found["rows"] = RowCounts(
            read=rows.read,
            used=len(rows.examples),
            learnt=int((known.users & ~known.held).sum()),
            held_out=int((known.users & known.held).sum()),
            corrections=sum(example.source == CORRECTIONS for example in rows.examples),
            rejected=dict(sorted(rows.reasons.items())),
            listed=tuple(rows.left),
        )
        lacking = {name: missing for name in model.heads.parts if (missing := shortage(name, known))}
        if len(lacking) == len(model.heads.parts):
            said = " ".join(f"{name}: {missing}" for name, missing in lacking.items())
            raise Rejected(
                "too_few_rows", f"The rows are too few to learn from and compare on. {said}", LABEL_MORE
            )
        return known

    def _learn(self, model: InUse, known: Corpus) -> tuple[Heads, dict[HeadName, HeadReport]]:
        texts = [example.text for example in known.examples]
        learnt = learn(model.heads, known, features(model, texts, self._check))
        reports = {name: report for name, (_, report) in learnt.items()}
        self._found["heads"] = reports
        return dataclasses.replace(
            model.heads, parts={name: head for name, (head, _) in learnt.items()}
        ), reports

    def _build(
        self, model: InUse, heads: Heads, reports: dict[HeadName, HeadReport], known: Corpus, weights: Path
    ) -> Path:
        trained = self._scratch / "trained"
        write_trained(trained, model, heads, _card(load_card(model.trained), reports, known))
        out = self._scratch / "model"
        manifest = build(load_packaged(weights), trained, out, model.manifest.precision)
        if manifest.sources[0].sha256 != model.manifest.sources[0].sha256:
            raise SetupError(f"{weights} holds another encoder than the model in use was built from.")
        self._found["candidate"] = manifest.digest
        return out

    def _compare(
        self, model: InUse, directory: Path, known: Corpus, reports: dict[HeadName, HeadReport]
    ) -> tuple[str, str]:
        workers = settings().analyze_workers
        pair = Engine(model.directory, workers=workers), Engine(directory, workers=workers)
        retrained = sum(report.retrained for report in reports.values())
        compared = compare_models(*pair, known, retrained)
        for name, report in reports.items():
            held_out, own = compared[name]
            reports[name] = report.model_copy(update={"held_out": held_out, "own": own})
        self._found["corrections"] = _of_corrections(*pair, known)
        return decide(reports)

    def _publish(self, directory: Path, reason: str) -> Report:
        bucket, digest = settings().models_bucket, self._found["candidate"]
        store_trained(self._scratch / "trained", digest)
        push(directory, bucket)
        following = (
            "Nothing runs it yet. To switch, deploy it: gcloud builds submit, as docs/deploy.md has it, with "
            f"--substitutions=_REGION=$REGION,_MODEL_DIGEST={digest} (where pushes to main deploy, set "
            "model_digest in Terraform's variable build too), and bring stored results up to date: "
            f"headrace backfill --model {digest}"
        )
        return self._end("published", "better", reason, following)


def _of_corrections(in_use: Engine, candidate: Engine, known: Corpus) -> dict[HeadName, Learnt]:
    rows = np.flatnonzero([example.source == CORRECTIONS for example in known.examples])
    if not len(rows):
        return {}
    held = known.held[rows]
    return {
        name: Learnt(
            rows=int(said.sum()),
            in_use=int(before.sum()),
            candidate=int(after.sum()),
            held_out=int((said & held).sum()),
            held_out_in_use=int((before & held).sum()),
            held_out_candidate=int((after & held).sum()),
        )
        for name, (said, before, after) in agreement(in_use, candidate, known, rows).items()
        if said.any()
    }


def _card(card: Card, reports: dict[HeadName, HeadReport], known: Corpus) -> Card:
    """What `heads.json` says: licences of a user's rows are unknown, and older figures are of other heads."""
    rows = int((known.users & ~known.held).sum())
    return card.model_copy(
        update={
            "sentences": card.sentences | {SOURCE: rows},
            "permissive": tuple(name for name in card.permissive if not reports[name].retrained),
            "heldout": {},
        }
    )
