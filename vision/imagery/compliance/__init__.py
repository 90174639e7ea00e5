"""Marketplaces' rules: kept as data with their sources, held against the bytes of an image, and put right where that takes no person.

Law: what is measured is the encoded image as it would be uploaded. A rule that cannot be checked is said not to be checked; it never passes.
"""

from vision.imagery.compliance.check import check, check_picture
from vision.imagery.compliance.context import Context
from vision.imagery.compliance.fix import Fixed, fix
from vision.imagery.compliance.framing import Framing, framing
from vision.imagery.compliance.picture import Picture
from vision.imagery.compliance.report import Finding, Report
from vision.imagery.compliance.rules import RuleSet, read_rule_set, rule_set, rule_sets

__all__ = [
    "Context",
    "Finding",
    "Fixed",
    "Framing",
    "Picture",
    "Report",
    "RuleSet",
    "check",
    "check_picture",
    "fix",
    "framing",
    "read_rule_set",
    "rule_set",
    "rule_sets",
]
