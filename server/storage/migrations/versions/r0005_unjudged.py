"""The catalog: of an item also the photos that could not be judged, by their digests.

Written out by hand, as `r0001_results` says.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"


def upgrade() -> None:
    op.add_column("catalog_items", sa.Column("unjudged", sa.JSON, nullable=False, server_default="[]"))
