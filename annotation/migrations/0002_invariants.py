"""Rules that a form can forget and a database cannot."""

from django.db import migrations
from pgvector.django import VectorExtension

ONE_ROLE_FOR_LIFE = """
ALTER TABLE annotation_image ADD CONSTRAINT image_role_is_its_groups
    FOREIGN KEY (group_id, role) REFERENCES annotation_imagegroup (id, role);
"""

APPEND_ONLY = """
CREATE FUNCTION touchstone_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER label_append_only BEFORE UPDATE OR DELETE ON annotation_label
    FOR EACH ROW EXECUTE FUNCTION touchstone_append_only();
"""

# Publishing (draft to published) and retiring (published to retired) are the only moves; what a
# published version says never changes, nor do its features and their examples.
GUIDELINES = """
CREATE FUNCTION touchstone_guideline_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER guideline_immutable BEFORE UPDATE OR DELETE ON annotation_guidelineversion
    FOR EACH ROW EXECUTE FUNCTION touchstone_guideline_immutable();

CREATE FUNCTION touchstone_feature_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    version bigint;
BEGIN
    IF TG_TABLE_NAME = 'annotation_feature' THEN
        version := CASE WHEN TG_OP = 'INSERT' THEN NEW.version_id ELSE OLD.version_id END;
    ELSE
        SELECT version_id INTO version FROM annotation_feature
            WHERE id = CASE WHEN TG_OP = 'INSERT' THEN NEW.feature_id ELSE OLD.feature_id END;
    END IF;
    IF EXISTS (SELECT 1 FROM annotation_guidelineversion WHERE id = version AND state <> 'draft') THEN
        RAISE EXCEPTION 'a published guideline never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER feature_immutable BEFORE INSERT OR UPDATE OR DELETE ON annotation_feature
    FOR EACH ROW EXECUTE FUNCTION touchstone_feature_immutable();
CREATE TRIGGER feature_example_immutable BEFORE INSERT OR UPDATE OR DELETE ON annotation_featureexample
    FOR EACH ROW EXECUTE FUNCTION touchstone_feature_immutable();
"""

UNDO = """
DROP TRIGGER feature_example_immutable ON annotation_featureexample;
DROP TRIGGER feature_immutable ON annotation_feature;
DROP TRIGGER guideline_immutable ON annotation_guidelineversion;
DROP TRIGGER label_append_only ON annotation_label;
DROP FUNCTION touchstone_feature_immutable;
DROP FUNCTION touchstone_guideline_immutable;
DROP FUNCTION touchstone_append_only CASCADE;
ALTER TABLE annotation_image DROP CONSTRAINT image_role_is_its_groups;
"""


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial")]
    operations = [
        VectorExtension(),
        migrations.RunSQL(ONE_ROLE_FOR_LIFE + APPEND_ONLY + GUIDELINES, UNDO),
    ]
