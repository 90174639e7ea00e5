"""Imagery: of an order also the picture whose look its scenes are to have.

Written out by hand, as `r0001_results` says.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0006"
down_revision: Final = "0005"


def upgrade() -> None:
    op.add_column("imagery_jobs", sa.Column("style_sha256", sa.String(64)))
