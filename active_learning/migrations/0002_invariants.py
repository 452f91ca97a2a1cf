"""What was promoted, by whom and why is never rewritten; nor is a frozen dataset's record."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER promotion_event_append_only BEFORE UPDATE OR DELETE ON active_learning_promotionevent
    FOR EACH ROW EXECUTE FUNCTION touchstone_append_only();
CREATE TRIGGER dataset_append_only BEFORE UPDATE OR DELETE ON active_learning_datasetversion
    FOR EACH ROW EXECUTE FUNCTION touchstone_append_only();
"""
UNDO = """
DROP TRIGGER dataset_append_only ON active_learning_datasetversion;
DROP TRIGGER promotion_event_append_only ON active_learning_promotionevent;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("active_learning", "0001_initial"),
        ("annotation", "0002_invariants"),
    ]
    operations = [migrations.RunSQL(FORWARD, UNDO)]
