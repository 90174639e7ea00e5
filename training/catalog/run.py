"""A catalog run's settings: those of every run, and the tree, the title's column and the attributes that it learns from."""

import json
from functools import cached_property

from pydantic import BaseModel, ConfigDict, JsonValue

from training.run import BaseRun
from vision.catalog.attributes import AttributeSpec
from vision.catalog.taxonomy import Taxonomy
from vision.catalog.text import TextSpec


class TitleColumn(BaseModel):
    """Where titles are, and how they become ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    spec: TextSpec = TextSpec()


class CatalogRun(BaseRun):
    """`run.json` of a catalog run; each level's labels are in the column of the level's name."""

    tree: dict[str, JsonValue]
    title: TitleColumn | None = None
    attributes: AttributeSpec | None = None

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The tree as a value."""
        return Taxonomy.from_json(json.dumps(self.tree))
