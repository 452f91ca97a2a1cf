"""Cases on near-identical images that decide differently: each new vector is compared once with
its neighbours, so that finding them costs the same however large the library is."""

from django.db import connection

from annotation.models import CaseVector, EmbeddingSpace
from annotation.vectors import index_search

NEAR_IDENTICAL = 0.98  # cosine similarity
NEIGHBOURS = 20  # of each case that are compared with it
BATCH = 500

DIFFER = """(a.verdict <> b.verdict OR (a.verdict = 'brand' AND a.brand_id <> b.brand_id))"""

OF_ONE_GROUP = f"""
INSERT INTO annotation_caseconflict (first_id, second_id, found_at, why)
SELECT least(a.id, b.id), greatest(a.id, b.id), now(), ''
FROM annotation_case a
JOIN annotation_image shown ON shown.id = a.image_id
JOIN annotation_image near ON near.group_id = shown.group_id
JOIN annotation_case b ON b.image_id = near.id AND b.id <> a.id
WHERE a.id = ANY(%s) AND a.state = 'active' AND b.state = 'active' AND {DIFFER}
ON CONFLICT DO NOTHING
"""  # noqa: S608 - a constant

# Differing is asked after the neighbours are cut off: in a crowd of agreeing ones the index would
# otherwise be searched to its end for every case.
OF_NEAR_VECTORS = f"""
INSERT INTO annotation_caseconflict (first_id, second_id, similarity, found_at, why)
SELECT DISTINCT ON (1, 2)
    least(a.id, b.id), greatest(a.id, b.id), near.similarity, now(), ''
FROM annotation_casevector own
JOIN annotation_case a ON a.id = own.case_id
CROSS JOIN LATERAL (
    SELECT other.case_id, -(other.vector <#> own.vector) AS similarity
    FROM annotation_casevector other
    JOIN annotation_case c ON c.id = other.case_id AND c.state = 'active'
    WHERE other.space_id = own.space_id AND other.id <> own.id
    ORDER BY other.vector <#> own.vector
    LIMIT %s
) near
JOIN annotation_case b ON b.id = near.case_id
WHERE own.id = ANY(%s) AND a.state = 'active' AND near.similarity >= %s AND {DIFFER}
ON CONFLICT (first_id, second_id) DO UPDATE SET similarity = excluded.similarity
"""  # noqa: S608 - a constant


def compare_groups(*, case_ids: list[int]) -> None:
    """Note the contradictions of these cases with others of their images' groups."""
    with connection.cursor() as cursor:
        cursor.execute(OF_ONE_GROUP, [case_ids])


def compare_vectors(*, space: EmbeddingSpace, limit: int = BATCH) -> int:
    """Note the contradictions of cases that have not been compared in this space yet, `limit` of
    them at most. Returns how many were compared."""
    waiting = CaseVector.objects.filter(space=space, compared=False)
    rows = list(waiting.order_by("pk").values_list("pk", "case_id")[:limit])
    if not rows:
        return 0
    vector_ids, case_ids = ([row[i] for row in rows] for i in (0, 1))
    with index_search():
        compare_groups(case_ids=case_ids)
        with connection.cursor() as cursor:
            cursor.execute(OF_NEAR_VECTORS, [NEIGHBOURS, vector_ids, NEAR_IDENTICAL])
        CaseVector.objects.filter(pk__in=vector_ids).update(compared=True)
    return len(rows)
