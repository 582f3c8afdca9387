"""The command line of expert parallelism: what cannot be measured is refused before a device starts."""

import pytest

from bench.distributed import link, parallel
from bench.distributed.options import asked, link_name, parser, read_options


def test_a_paced_link_is_named_with_its_latency() -> None:
    assert link_name(read_options(["--gigabit", "10", "--latency-us", "50"])) == "10gbit+50us"
    assert link_name(read_options([])) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scale", "olmo-7b"], "invalid choice: 'olmo-7b'"),  # dense alone
        (["--gigabit", "0"], "must be a number above 0, got '0'"),
        (["--gigabit", "abc"], "argument --gigabit: must be a number above 0, got 'abc'"),
        (["--latency-us", "-1"], "argument --latency-us: must be a number of at least 0, got '-1'"),
        (["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
        (["--latency-us", "50"], "--latency-us must come with --gigabit, got 50 alone"),
        (["--rounds", "0"], "must be a whole number of at least 1, got '0'"),
        (["--routing", "special"], "routing"),
    ],
)
def test_what_cannot_be_measured_is_a_usage_error(arguments: list[str], message: str, capsys) -> None:
    with pytest.raises(SystemExit):
        read_options(arguments)
    assert message in capsys.readouterr().err


def test_every_option_says_what_it_is_and_what_it_is_by_default() -> None:
    for command in (parser(), link._parser()):
        told = {action.dest: action.help or "" for action in command._actions if action.dest != "help"}
        assert [name for name, text in told.items() if "(default: " not in text] == []


def test_what_all_arms_run_is_what_the_options_say() -> None:
    said = asked(read_options(["--scale", "proxy", "--depth", "2", "--home", "sequence"]))
    assert (said.preset, said.depth, said.workload, said.home) == ("proxy", 2, "mmmu", "sequence")


@pytest.mark.parametrize("command", [parallel, link])
def test_a_process_that_torchrun_did_not_start_is_a_usage_error(command, monkeypatch, capsys) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == 4
    assert "must have LOCAL_RANK, got none; start it with torchrun" in capsys.readouterr().err


@pytest.mark.parametrize("command", [parallel, link])
def test_a_gpu_that_is_not_there_is_a_usage_error(command, monkeypatch, capsys) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        command.main(["--device", "cuda"])
    assert "--device must be there, got cuda on a machine without a GPU; say cpu" in capsys.readouterr().err
