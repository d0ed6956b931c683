"""Options of `training.borrow` that would do nothing are refused."""

import pytest

from captioner import ConfigError
from training.borrow import main


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"naming": True, "variety": 0.2}, "--variety has no effect with --naming"),
        ({"boxes": "boxes.json.gz"}, "add --naming or leave it out"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(options, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        main(tmp_path, tmp_path, [tmp_path / "none.txt"], [], tmp_path, **options)
