"""What goods of a brand usually cost, and how far a price is from that.

The usual price is the median over the products of one brand and category. Those of merchants with
a licence for the brand speak first, because the others are the ones in question; where they are
too few, all of them do, and where these are too few too, nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from statistics import median

from django.db import connection

from annotation.models import Brand

LEAST_PRODUCTS = 5  # fewer have no usual price

# A product's brand is what people decided of one of its pictures, else the product table's word.
SOLD = """
WITH sold AS (
    SELECT DISTINCT product.id, product.price, product.category, product.merchant_id,
        CASE WHEN decided.id IS NULL THEN image.weak_brand_id ELSE decided.brand_id END AS brand_id
    FROM annotation_product AS product
    JOIN annotation_image AS image ON image.product_id = product.id
    LEFT JOIN annotation_consensus AS decided
        ON decided.image_id = image.id AND decided.kind = 'brand' AND decided.trusted
    WHERE product.price > 0
), priced AS (
    SELECT sold.brand_id, sold.category, sold.price, EXISTS (
        SELECT 1 FROM annotation_qualification AS licence
        WHERE licence.merchant_id = sold.merchant_id AND licence.brand_id = sold.brand_id
            AND licence.valid_from <= %(day)s
            AND (licence.valid_to IS NULL OR licence.valid_to >= %(day)s)
    ) AS licensed
    FROM sold WHERE sold.brand_id IS NOT NULL
)
"""
MEDIANS = (
    SOLD
    + """
SELECT brand_id, category,
    count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY price),
    count(*) FILTER (WHERE licensed),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY price) FILTER (WHERE licensed)
FROM priced GROUP BY brand_id, category
"""
)
PRICES = (
    SOLD
    + """
SELECT price, licensed FROM priced WHERE brand_id = %(brand)s AND category = %(category)s
ORDER BY price
"""
)


@dataclass(frozen=True)
class Usual:
    """The usual price, of how many products, and whether only licensed ones were asked."""

    price: float
    products: int
    licensed: bool

    def ratio(self, price: Decimal | float | None) -> float | None:
        """A price as a share of the usual one."""
        return None if price is None or self.price <= 0 else float(price) / self.price


def usual_prices(*, on: date) -> dict[tuple[int, str], Usual]:
    """By brand id and category, where there are enough products; licences as valid on a day."""
    with connection.cursor() as cursor:
        cursor.execute(MEDIANS, {"day": on})
        rows = cursor.fetchall()
    found = {}
    for brand_id, category, count, middle, licensed_count, licensed_middle in rows:
        if licensed_count >= LEAST_PRODUCTS:
            found[brand_id, category] = Usual(licensed_middle, licensed_count, True)
        elif count >= LEAST_PRODUCTS:
            found[brand_id, category] = Usual(middle, count, False)
    return found


def prices_of(*, brand: Brand, category: str, on: date) -> list[tuple[float, bool]]:
    """(price, licensed) of the products of a brand and category, cheapest first."""
    with connection.cursor() as cursor:
        cursor.execute(PRICES, {"day": on, "brand": brand.pk, "category": category})
        return [(float(price), licensed) for price, licensed in cursor.fetchall()]


def usual_of(prices: Sequence[tuple[float, bool]]) -> Usual | None:
    """The usual price of what `prices_of` gave."""
    for speaks, licensed in (
        ([price for price, is_licensed in prices if is_licensed], True),
        ([price for price, _ in prices], False),
    ):
        if len(speaks) >= LEAST_PRODUCTS:
            return Usual(median(speaks), len(speaks), licensed)
    return None
