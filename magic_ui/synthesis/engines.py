"""Where the work is done: in this process, in several, or on a Ray cluster. All give the same files.

On a CPU the bits of a picture depend on how many threads multiply its matrices, so runs that are to be equal byte for
byte need the same number of threads for each worker. On a cluster the pictures and the output lie on a file system that
all machines share.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from typing import Any

from ..errors import InputError
from .jobs import Task
from .work import Outcome, Worker, WorkSettings

ENGINES = ("local", "ray")
Numbered = tuple[Task, int]

_worker: Worker | None = None


def run_local(settings: WorkSettings, tasks: Sequence[Numbered], workers: int) -> Generator[Outcome, None, None]:
    """Outcomes in the order in which they are finished; several workers are processes that share the cores."""
    if workers == 1 or len(tasks) < 2:
        worker = Worker(settings)
        for task, number in tasks:
            yield worker(task, number)
        return
    import multiprocessing

    shared = replace(settings, threads=settings.threads or threads_for(workers))
    # A forked process would inherit torch's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), context, _start_worker, (shared,))
    try:
        for future in as_completed([pool.submit(_work, task, number) for task, number in tasks]):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def threads_for(workers: int) -> int:
    """Threads of each of several workers on this machine."""
    return max(1, (os.cpu_count() or 1) // workers)


def _start_worker(settings: WorkSettings) -> None:
    global _worker
    _worker = Worker(settings)


def _work(task: Task, number: int) -> Outcome:
    assert _worker is not None
    return _worker(task, number)


def run_ray(
    settings: WorkSettings, tasks: Sequence[Numbered], workers: int, address: str | None = None
) -> Generator[Outcome, None, None]:
    """Outcomes of the same work by Ray Data: a pool of actors, each with the checkpoint loaded once.

    Args:
        workers: actors; each takes one GPU where the settings name CUDA, else its share of the cores.
        address: of a running cluster ("auto", "ray://host:10001"); without it a local one is started and ended.

    Raises:
        InputError: Ray is not installed, or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError:
        raise InputError("engine", "ray is not installed; pip install 'magic-ui[ray]', or use local.") from None
    threads = settings.threads or threads_for(workers)
    started = not ray.is_initialized()
    if started:
        here: dict[str, Any] = {} if address else {"num_cpus": max(workers, os.cpu_count() or 1)}
        try:
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **here)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError("ray_address", f"the cluster cannot be reached: {str(error)[:200]}") from error
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        items = [{"task": json.dumps(asdict(task)), "number": number} for task, number in tasks]
        gpus = 1 if settings.device.startswith("cuda") else 0
        actor: Any = RayWorker
        # A block a task: what is finished comes back at once, and a lost actor costs one picture.
        outcomes = ray.data.from_items(items, override_num_blocks=len(items)).map(
            actor,
            fn_constructor_args=(asdict(replace(settings, threads=threads)),),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_gpus=gpus,
            num_cpus=0 if gpus else 1,
        )
        for row in outcomes.iter_rows():
            yield Outcome(**json.loads(row["outcome"]))
    finally:
        if started:
            ray.shutdown()


class RayWorker:
    """A :class:`Worker` as an actor of Ray Data: JSON in, JSON out, so that no column's type is guessed."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._worker = Worker(WorkSettings(**settings))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Paint the row's task."""
        values = json.loads(row["task"])
        task = Task(**{**values, "strength": tuple(values["strength"])})
        return {"outcome": json.dumps(asdict(self._worker(task, int(row["number"]))))}
