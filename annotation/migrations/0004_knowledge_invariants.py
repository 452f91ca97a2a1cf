"""The audit log is append-only; a guideline may be in review before it is published."""

from django.db import migrations

AUDIT = """
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON annotation_auditentry
    FOR EACH ROW EXECUTE FUNCTION touchstone_append_only();
"""
UNDO_AUDIT = """
DROP TRIGGER audit_append_only ON annotation_auditentry;
"""

# As in 0002, with the state between and the columns since added.
GUIDELINES = """
CREATE OR REPLACE FUNCTION touchstone_guideline_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('draft', 'review') THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'published' AND NEW.state IN ('published', 'retired')
        AND (NEW.brand_id, NEW.number, NEW.rules, NEW.not_violations, NEW.least_logo,
             NEW.change_note, NEW.impact, NEW.published_at, NEW.published_by_id)
            IS NOT DISTINCT FROM
            (OLD.brand_id, OLD.number, OLD.rules, OLD.not_violations, OLD.least_logo,
             OLD.change_note, OLD.impact, OLD.published_at, OLD.published_by_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a published guideline never changes' USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""
BEFORE = """
CREATE OR REPLACE FUNCTION touchstone_guideline_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'published' AND NEW.state IN ('published', 'retired')
        AND (NEW.brand_id, NEW.number, NEW.rules, NEW.published_at, NEW.published_by_id)
            IS NOT DISTINCT FROM
            (OLD.brand_id, OLD.number, OLD.rules, OLD.published_at, OLD.published_by_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a published guideline never changes' USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0003_knowledge_and_people")]
    operations = [
        migrations.RunSQL(AUDIT, UNDO_AUDIT),
        migrations.RunSQL(GUIDELINES, BEFORE),
    ]
