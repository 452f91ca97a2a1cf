"""What others may want to know at once: they connect themselves, nothing here knows of them."""

from django.dispatch import Signal

tasks_pushed = Signal()  # some tasks are before people now
answers_taken = Signal()  # some answers of people may be labels now
# Within the transaction that puts them in the place of withdrawn ones; `anew`: their ids, by those.
tasks_renewed = Signal()
