"""Tests of the routing profiles' names, hashes and rows."""

from pathlib import Path

import pytest
import torch

from moevlm import RoutingProfile
from moevlm.routing.profiles import NUM_NOISE_ROWS, Ramp, bias_rows


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my model (7b).safetensors"
    path.write_bytes(b"one")
    return path


@pytest.mark.parametrize(
    ("text", "seed", "digest"),
    [
        ("weights", 0, "268d7162bc2ce867"),
        ("uniform", 0, "87c9d8d652d0ce75"),
        ("uniform", 1, "6413f497877588ab"),
        ("specialized:4", 0, "e4a224afc11b4e2d"),
        ("specialized:4", 7, "0940251374516e62"),
        ("specialized:2.5", 0, "fdc9f8545f772c72"),
    ],
)
def test_hashes_that_stored_baselines_hold_do_not_change(text: str, seed: int, digest: str) -> None:
    assert RoutingProfile.parse(text, seed=seed).hash() == digest


@pytest.mark.parametrize(
    ("text", "name", "ramps"),
    [
        ("specialized:4", "specialized4", ((4, 4), (4, 4))),
        ("specialized:4/4", "specialized4", ((4, 4), (4, 4))),
        ("specialized:4/0", "specialized-t4-v0", ((4, 4), (0, 0))),
        ("specialized:6..0", "specialized6..0", ((6, 0), (6, 0))),
        ("specialized:0.5..2/3", "specialized-t0.5..2-v3", ((0.5, 2), (3, 3))),
        ("paper-smoes", "paper-smoes", ((0, 0), (0, 0))),
    ],
)
def test_strength_is_read_by_modality_and_by_layer(text: str, name: str, ramps: tuple[object, object]) -> None:
    profile = RoutingProfile.parse(text)
    assert profile.ramps == ramps
    assert profile.id == name


def test_spellings_of_one_strength_are_one_profile() -> None:
    assert RoutingProfile.parse("specialized:4..4/4").hash() == RoutingProfile.parse("specialized:4").hash()


def test_a_ramp_is_linear_over_the_layers() -> None:
    assert [Ramp(6, 0).at(layer, 4) for layer in range(4)] == [6, 4, 2, 0]
    assert Ramp(6, 0).at(0, 1) == 6


def test_hash_tells_every_profile_apart(file: Path) -> None:
    texts = ["weights", "uniform", "specialized:4", "specialized:4/2", "specialized:2/4", "specialized:4..2"]
    texts += ["paper-agnostic", "paper-smoes", f"trained:{file}", f"replay:{file}"]
    profiles = [RoutingProfile.parse(text, seed=seed) for text in texts for seed in (0, 1)]
    assert len({profile.hash() for profile in profiles}) == len(profiles)
    assert {len(profile.hash()) for profile in profiles} == {16}


def test_hash_of_a_recording_covers_its_content_and_not_its_place(file: Path, tmp_path: Path) -> None:
    before = RoutingProfile.parse(f"replay:{file}").hash()
    moved = file.rename(tmp_path / "moved.safetensors")
    assert RoutingProfile.parse(f"replay:{moved}").hash() == before
    moved.write_bytes(b"two")
    assert RoutingProfile.parse(f"replay:{moved}").hash() != before


def test_id_of_a_recording_is_safe_as_a_file_name(file: Path) -> None:
    assert RoutingProfile.parse(f"trained:{file}").id == "trained-my_model_7b_"


@pytest.mark.parametrize("text", ["random", "", "specialised:4", "Uniform"])
def test_unknown_profile_names_the_known_ones(text: str) -> None:
    known = "weights, uniform, specialized:STRENGTH, paper-agnostic, paper-smoes, trained:FILE, replay:FILE"
    with pytest.raises(ValueError, match=f"must be one of {known}, got "):
        RoutingProfile.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("specialized", "specialized:", "specialized:0", "specialized:-1", "specialized:nan", "specialized:inf"),
        *("specialized:0/0", "specialized:4/-1", "specialized:4..nan", "uniform:3", "paper-smoes:2"),
    ],
)
def test_strength_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"takes .*strength.*, got .*; write one of weights, uniform, specialized"):
        RoutingProfile.parse(text)


@pytest.mark.parametrize("strength", ["strong", "4/", "/4", "4..", "1/2/3"])
def test_strength_that_is_no_number_is_refused(strength: str) -> None:
    with pytest.raises(ValueError, match=rf"must be a number, FIRST\.\.LAST or TEXT/VISION, .*specialized:{strength}"):
        RoutingProfile.parse(f"specialized:{strength}")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"name": "trained"}, "routing profile trained takes a file, got None"),
        ({"name": "uniform", "file": Path(__file__)}, "routing profile uniform takes no file, got "),
        ({"name": "replay", "file": Path("nowhere")}, "routing file must exist, got 'nowhere'; write it with save_rou"),
        ({"name": "replay", "file": Path(__file__), "strength": 1.0}, "routing profile replay takes no strength"),
    ],
)
def test_file_that_does_not_fit_is_refused(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        RoutingProfile(**fields)  # type: ignore[arg-type]


def test_samples_of_one_batch_route_differently_at_the_same_position() -> None:
    assert len(bias_rows(torch.zeros(32, 1, dtype=torch.long)).unique()) == 32


def test_vision_reads_the_second_half_of_a_table() -> None:
    position_BS = torch.tensor([[0, 1, 2], [0, 1, 2]])
    rows = bias_rows(position_BS, torch.tensor([[True, True, False], [False, False, False]])).tolist()
    assert rows == [NUM_NOISE_ROWS, NUM_NOISE_ROWS + 1, 2, 97, 98, 99]


def test_a_part_of_a_batch_reads_the_rows_that_its_samples_have_in_the_whole() -> None:
    position_BS = torch.arange(3).expand(5, 3)
    whole = bias_rows(position_BS).view(5, 3)
    assert bias_rows(position_BS[1::2], samples=range(1, 5, 2)).tolist() == whole[1::2].flatten().tolist()
