"""The loop's Celery tasks. Each may be delivered twice, late or never; the rows they name are the
truth, and the sweep finds what no message told of."""

from celery import shared_task

from active_learning import (
    coldstarts,
    deliveries,
    embeddings,
    evaluations,
    explanations,
    exports,
    flags,
    forecasts,
    jobs,
    mirroring,
    monitoring,
    rescans,
    rounds,
    scans,
    shadow_ends,
    sources,
    training,
    triggers,
    worth,
)


@shared_task
def run_training(run_id: int) -> None:
    training.run(run_id=training.most_urgent(otherwise=run_id))
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
def run_forecast(forecast_id: int) -> None:
    forecasts.run(forecast_id=forecast_id)


@shared_task
def run_worth(worth_id: int) -> None:
    worth.run(worth_id=worth_id)


@shared_task
def run_embedding(run_id: int) -> None:
    embeddings.run(run_id=run_id)
    fill_embeddings.delay()


@shared_task
def run_picture(run_id: int) -> None:
    """As `run_embedding`, of one picture that a person waits for."""
    embeddings.run(run_id=run_id)


@shared_task
def run_export(export_id: int) -> None:
    exports.run(export_id=export_id)


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
    coldstarts.advance_running()


@shared_task
def check_triggers() -> None:
    triggers.check_triggers()


@shared_task
def tend_shadows() -> None:
    shadow_ends.bring_to_an_end()


@shared_task
def advance_round(round_id: int) -> None:
    rounds.advance(round_id=round_id)
    coldstarts.advance_running()  # one may wait for its end


@shared_task
def rescan_pool() -> None:
    rescans.rescan_if_due()


@shared_task
def raise_flags() -> None:
    flags.raise_due()


@shared_task
def measure() -> None:
    monitoring.measure()


@shared_task(soft_time_limit=60, time_limit=90)
def deliver(delivery_id: int) -> None:
    deliveries.attempt(delivery_id=delivery_id)


@shared_task
def deliver_due() -> None:
    for delivery_id in deliveries.due():
        deliver.delay(delivery_id)


@shared_task
def mirror_runs() -> None:
    mirroring.mirror_due()


@shared_task
def run_source(run_id: int) -> None:
    sources.run(run_id=run_id)


@shared_task
def start_sources() -> None:
    sources.start_due()
