"""The loop's Celery tasks. Each may be delivered twice, late or never; the rows they name are the
truth, and the sweep finds what no message told of."""

from celery import shared_task

from active_learning import (
    embeddings,
    evaluations,
    explanations,
    flags,
    jobs,
    mirroring,
    rounds,
    scans,
    training,
    triggers,
)


@shared_task
def run_training(run_id: int) -> None:
    training.run(run_id=run_id)
    rounds.advance_running()  # one may wait for this
    mirror_runs.delay()


@shared_task
def run_scan(scan_id: int) -> None:
    scans.run(scan_id=scan_id)
    rounds.advance_running()


@shared_task
def run_evaluation(evaluation_id: int) -> None:
    evaluations.run(evaluation_id=evaluation_id)
    rounds.advance_running()


@shared_task
def run_embedding(run_id: int) -> None:
    embeddings.run(run_id=run_id)
    fill_embeddings.delay()


@shared_task
def run_picture(run_id: int) -> None:
    """As `run_embedding`, of one picture that a person waits for."""
    embeddings.run(run_id=run_id)


@shared_task
def run_explanation(explanation_id: int) -> None:
    explanations.run(explanation_id=explanation_id)


@shared_task
def fill_embeddings() -> None:
    if embeddings.fill():
        fill_embeddings.delay()


@shared_task
def sweep() -> None:
    jobs.sweep_jobs()
    rounds.advance_running()


@shared_task
def check_triggers() -> None:
    triggers.check_triggers()


@shared_task
def advance_round(round_id: int) -> None:
    rounds.advance(round_id=round_id)


@shared_task
def raise_flags() -> None:
    flags.raise_due()


@shared_task
def mirror_runs() -> None:
    mirroring.mirror_due()
