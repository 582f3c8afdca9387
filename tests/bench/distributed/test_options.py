"""The command line of expert parallelism: what cannot be measured is refused before a device starts."""

import pytest

from bench.distributed.options import link_name, read_options


def test_a_paced_link_is_named_with_its_latency() -> None:
    assert link_name(read_options(["--gigabit", "10", "--latency-us", "50"])) == "10gbit+50us"
    assert link_name(read_options([])) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "olmo-7b"], "invalid choice: 'olmo-7b'"),  # dense alone
        (["--gigabit", "0"], "must be above 0, got '0'"),
        (["--gigabit", "nan"], "must be above 0, got 'nan'"),
        (["--latency-us", "50"], "--latency-us must come with --gigabit, got 50 alone"),
        (["--rounds", "0"], "must be a whole number of at least 1, got '0'"),
        (["--routing", "special"], "routing"),
    ],
)
def test_what_cannot_be_measured_is_a_usage_error(arguments: list[str], message: str, capsys) -> None:
    with pytest.raises(SystemExit):
        read_options(arguments)
    assert message in capsys.readouterr().err
