"""A task returned to one person may be open beside the one everybody may answer."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("annotation", "0004_knowledge_invariants")]
    operations = [
        migrations.RemoveConstraint(model_name="task", name="task_one_open_per_image_kind"),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.UniqueConstraint(
                fields=["image", "kind"],
                condition=Q(
                    state__in=["waiting", "pushing", "pushed"],
                    is_gold=False,
                    only_for__isnull=True,
                ),
                name="task_one_open_per_image_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.UniqueConstraint(
                fields=["image", "kind", "only_for"],
                condition=Q(
                    state__in=["waiting", "pushing", "pushed"],
                    is_gold=False,
                    only_for__isnull=False,
                ),
                name="task_one_open_for_a_person",
            ),
        ),
    ]
