"""The page of faults and rules tells what there is."""

from tests.rehearsal.tables import page
from tests.rehearsal.volume import ROOT


def test_the_page_of_faults_and_rules_is_as_they_write_it() -> None:
    assert (ROOT / "docs" / "faults.md").read_text() == page(), "python -m tests.rehearsal.tables > docs/faults.md"
