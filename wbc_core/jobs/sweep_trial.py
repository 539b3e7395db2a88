"""One trial of a sweep in its job's own process: what it trains by, and what Optuna learns of it.

Optuna (Akiba et al. 2019) keeps the trials of a `tpe` search in the lab's own database, in tables of its own;
one study a sweep, one Optuna trial a job, which names its job and its number of trial as user attributes.
Jobs are the truth: whoever opens a study first ends the trials whose job has ended without saying so.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from wbc_core.database import engine_of
from wbc_core.errors import Cancelled, WbcError
from wbc_core.jobs.queue import get_job
from wbc_core.jobs.sweep_space import Range, Space, space_from_json
from wbc_core.records import TERMINAL_STATES, Json
from wbc_core.training.runs import history, load_run
from wbc_core.training.spec import RunSpec
from wbc_core.wording import counted
from wbc_core.workspace import Workspace

STARTUP_TRIALS = 5
"""Trials that are drawn at random, and completed before one is ended early."""
WARMUP_EPOCHS = 2
"""Epochs that every trial may train: the first say little about the last."""
PRUNED = "pruned"
"""How the reason of a run begins that was ended for doing worse than the median."""

_LOCKED_SECONDS = 60
_OPENINGS = 5

Watch = Callable[[Mapping[str, float]], str | None]


@dataclass(frozen=True)
class Trial:
    """What a training is called with.

    Attributes:
        spec: What it trains by.
        watch: Called with every finished epoch; returns why the run is to end now, or None.
    """

    spec: RunSpec
    watch: Watch | None = None


@contextmanager
def trial_of(workspace: Workspace, job_id: str, spec: Json) -> Iterator[Trial]:
    """Open the trial that a training job is, and tell how it ended; a job without a search is its own spec.

    Args:
        workspace: The lab.
        job_id: The job.
        spec: Its spec.
    """
    if spec.get("sweep", {}).get("search") != "tpe":
        yield Trial(RunSpec.from_json(spec))
        return
    drawn = _DrawnTrial(workspace, job_id, spec)
    try:
        yield Trial(drawn.spec, drawn.watch)
    except Cancelled:
        # A job that is only stopped with its worker goes on later, and so does its trial.
        with suppress(SQLAlchemyError):
            if get_job(workspace, job_id).cancel_requested:
                drawn.failed()
        raise
    except Exception:
        drawn.failed()
        raise
    drawn.finished()


class _DrawnTrial:
    """The Optuna trial of a job."""

    def __init__(self, workspace: Workspace, job_id: str, spec: Json) -> None:
        self._workspace, self._job = workspace, job_id
        self._study, self._storage = open_study(workspace, spec["sweep"])
        settle_trials(workspace, self._study)
        self._space = space_from_json(spec["sweep"]["space"])
        self._distributions = distributions(self._space)
        self._number, parameters = self._own_trial(spec["sweep"]["trial"], self._begun())
        self.spec = RunSpec.from_json({**spec, **parameters}).checked()
        for row in history(workspace, job_id).to_dict("records"):
            self._report(int(row["epoch"]), float(row["val_accuracy"]))

    def _begun(self) -> Json | None:
        """The settings that this job, or the one that it resumes, has begun with."""
        path = self._workspace.run_dir(self._job) / "spec.json"
        if not path.exists():
            return None
        begun = self._workspace.read_json(path, f"run {self._job}")
        return {name: begun[name] for name in self._distributions}

    def _own_trial(self, number: int, begun: Json | None) -> tuple[int, Json]:
        """Number and parameters of the Optuna trial of this job, found or added.

        All repeats of a trial share the parameters of the one that was added first, whoever added it.
        """
        found = self._trials_of(number)
        if not found:
            self._add(number, begun or self._draw())
            found = self._trials_of(number)
        parameters: Json = begun or found[0].params
        for one in found:
            if one.user_attrs["job"] == self._job and one.state.name != "FAIL":
                if one.params == parameters:
                    return one.number, parameters
                self._tell(one.number, failed=True)  # another repeat, starting at the same time, was first
        self._add(number, parameters)
        return self._trials_of(number)[-1].number, parameters

    def _trials_of(self, number: int) -> list[Any]:
        return [one for one in self._study.get_trials(deepcopy=False) if one.user_attrs["trial"] == number]

    def _add(self, number: int, parameters: Json) -> None:
        import optuna

        # Added whole: between Optuna's own ask and naming the job, a kill would leave a trial of nobody.
        self._study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=parameters,
                distributions=self._distributions,
                user_attrs={"job": self._job, "trial": number},
            )
        )

    def _draw(self) -> Json:
        import optuna

        copy = optuna.create_study(direction="maximize", sampler=self._study.sampler)
        copy.add_trials(self._study.get_trials(deepcopy=False))
        drawn = copy.ask(self._distributions).params
        return {
            name: values.within(drawn[name]) if isinstance(values, Range) else drawn[name]
            for name, values in self._space.items()
        }

    def watch(self, row: Mapping[str, float]) -> str | None:
        """Report an epoch; the median stopping rule (Golovin et al. 2017, Google Vizier, section 3.2.2)."""
        import optuna

        epoch = int(row["epoch"])
        try:
            trial = self._report(epoch, float(row["val_accuracy"]))
            if epoch >= self.spec.epochs or not self._study.pruner.prune(self._study, trial):
                return None
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            # A database that is away must not end a training.
            print(f"epoch {epoch} was not reported to the sweep: {error}", flush=True)
            return None
        best = max(trial.intermediate_values.values())
        after = counted(epoch, "epoch")
        return f"{PRUNED}: validation accuracy {best:.3f} after {after}, below the sweep's median"

    def _report(self, epoch: int, value: float) -> Any:
        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, self._number)
        trial = self._storage.get_trial(trial_id)
        if epoch not in trial.intermediate_values and not trial.state.is_finished():
            self._storage.set_trial_intermediate_value(trial_id, epoch, value)
            trial = self._storage.get_trial(trial_id)
        return trial

    def finished(self) -> None:
        """Tell the best validation accuracy, or that the trial was pruned."""
        run = load_run(self._workspace, self._job)
        self._tell(self._number, value=run.val_accuracy, pruned=run.ended.startswith(PRUNED))

    def failed(self) -> None:
        """Tell that the trial has no result."""
        self._tell(self._number, failed=True)

    def _tell(
        self, number: int, value: float | None = None, *, pruned: bool = False, failed: bool = False
    ) -> None:
        import optuna

        try:
            _tell(self._study, number, value, pruned=pruned, failed=failed)
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            # What came of the job stands; whoever opens the study next tells it (`settle_trials`).
            print(f"the end was not reported to the sweep: {error}", flush=True)


def _tell(
    study: Any, number: int, value: float | None, *, pruned: bool = False, failed: bool = False
) -> None:
    from optuna.trial import TrialState

    if failed or pruned:
        study.tell(number, state=TrialState.FAIL if failed else TrialState.PRUNED, skip_if_finished=True)
    else:
        study.tell(number, value, skip_if_finished=True)


def settle_trials(workspace: Workspace, study: Any) -> None:
    """End the running trials of a study whose jobs have ended: killed too often, or cancelled meanwhile."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        job = get_job(workspace, trial.user_attrs["job"])
        if job.state in TERMINAL_STATES:
            result = job.result or {}
            pruned = str(result.get("ended", "")).startswith(PRUNED)
            _tell(study, trial.number, result.get("val_accuracy"), pruned=pruned, failed=not result)


def distributions(space: Space) -> dict[str, Any]:
    """A space as Optuna's distributions."""
    from optuna import distributions as kinds

    made: dict[str, Any] = {}
    for name, values in space.items():
        if not isinstance(values, Range):
            made[name] = kinds.CategoricalDistribution(values)
        elif values.whole:
            made[name] = kinds.IntDistribution(int(values.low), int(values.high), log=values.log)
        else:
            made[name] = kinds.FloatDistribution(values.low, values.high, log=values.log)
    return made


def open_study(workspace: Workspace, sweep: Json) -> tuple[Any, Any]:
    """The Optuna study of a sweep, made if there is none, and the storage in the lab's database.

    Raises:
        WbcError: Optuna's tables cannot be used.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _open_storage(workspace)
    study = optuna.create_study(
        study_name=sweep["id"],
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        # Seeded by the trial's own number: what it draws depends on the trials before and on nothing else.
        # Running trials count as bad ones, so that several devices do not try the same.
        sampler=optuna.samplers.TPESampler(
            seed=1000 * sweep["search_seed"] + sweep["trial"],
            n_startup_trials=STARTUP_TRIALS,
            constant_liar=True,
        ),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS + 1),
    )
    return study, storage


def _open_storage(workspace: Workspace) -> Any:
    import optuna

    # Opened by the lab first: it makes a SQLite file a write-ahead log, which readers do not block.
    sqlite = engine_of(workspace).dialect.name == "sqlite"
    options: Json = {"poolclass": NullPool}
    if sqlite:
        options["connect_args"] = {"timeout": _LOCKED_SECONDS}
    # Optuna fills in templates in the URL.
    url = workspace.database_url.replace("{", "{{").replace("}", "}}")
    for opening in range(_OPENINGS):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=options)
        except (DBAPIError, optuna.exceptions.StorageInternalError) as error:
            # Trials that start at once on a new database all make the tables; the losers look again.
            if opening == _OPENINGS - 1:
                raise WbcError(
                    "Optuna cannot use the lab's database.", got=error, fix="Start it, or check its rights."
                ) from None
            time.sleep(0.5 * (opening + 1))
        except RuntimeError as error:
            raise WbcError(
                "Optuna's tables in the lab's database are of another version.", got=error
            ) from None
    raise AssertionError("unreachable")
