"""The table of measured kernels: what is nearest, what is predicted where nothing was measured, and its file."""

from dataclasses import replace

import pytest

from moevlm.kernels.tilings import (
    DENSE_WAYS,
    EIGHT_WARPS_TILES,
    EXPERT_WAYS,
    MEASURED,
    TILES,
    Entry,
    Shape,
    Tile,
    Tiling,
    choose,
    default_tiling,
    read,
    takes,
    write,
)

SHAPE = Shape(device="a GPU", dtype="bfloat16", num_experts=64, top_k=8, hidden_size=2048, width=1024)
TWIN = replace(SHAPE, top_k=64)
SM90_BYTES = 227 * 1024


def entry(num_tokens, way, shape=SHAPE):
    return Entry(
        shape=shape,
        num_tokens=num_tokens,
        tiling=Tiling(way=way, tiles=(Tile(16, 16, num_tokens, 4, 2),), is_measured=True),
        seconds=1e-3,
    )


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "measured.json"
    write([entry(4, "few"), entry(64, "grouped_mm"), entry(1024, "many"), entry(4, "fused", TWIN)], path)
    return path


@pytest.mark.parametrize(
    ("num_tokens", "nearest"), [(1, 4), (4, 4), (15, 4), (17, 64), (250, 64), (260, 1024), (9999, 1024)]
)
def test_the_entry_nearest_in_ratio_is_chosen(table, num_tokens, nearest):
    tiling = choose(SHAPE, num_tokens, path=table)
    assert tiling == next(known.tiling for known in read(table) if known.shape == SHAPE and known.num_tokens == nearest)
    assert tiling.is_measured


@pytest.mark.parametrize("other", [{"device": "another GPU"}, {"dtype": "float16"}, {"top_k": 4}, {"width": 768}])
def test_what_was_measured_for_another_shape_or_gpu_says_nothing(table, other):
    assert not choose(replace(SHAPE, **other), 4, path=table).is_measured


def test_few_tokens_kernels_are_not_chosen_beyond_their_limit(tmp_path):
    write([entry(64, "few")], tmp_path / "measured.json")
    assert choose(SHAPE, 64, path=tmp_path / "measured.json").way == "few"
    assert choose(SHAPE, 65, path=tmp_path / "measured.json").way == "many"  # 520 pairs
    assert takes("many", SHAPE, 65)


def test_torchs_grouped_product_compiles_in_bfloat16_alone():
    assert takes("grouped_mm", SHAPE, 1)
    assert not takes("grouped_mm", replace(SHAPE, dtype="float32"), 1)


def test_bulk_copies_take_two_byte_values_in_rows_of_whole_16_bytes():
    assert takes("persistent", SHAPE, 4096)
    assert takes("persistent", replace(SHAPE, dtype="float16"), 4096)
    assert not takes("persistent", replace(SHAPE, dtype="float32"), 4096)
    assert not takes("persistent", replace(SHAPE, hidden_size=SHAPE.hidden_size + 4), 4096)
    assert not takes("persistent", replace(SHAPE, width=SHAPE.width + 4), 4096)


@pytest.mark.parametrize("num_tokens", [1, 64, 65, 16384])
def test_persistent_programs_run_only_where_they_were_measured(tmp_path, num_tokens):
    path = tmp_path / "measured.json"
    write([], path)
    assert choose(SHAPE, num_tokens, path=path).way != "persistent"
    write([entry(4096, "persistent")], path)
    assert choose(SHAPE, num_tokens, path=path).way == "persistent"


@pytest.mark.parametrize(
    ("shape", "num_tokens", "way"),
    [(SHAPE, 1, "few"), (SHAPE, 32, "few"), (SHAPE, 64, "few"), (SHAPE, 65, "many"), (TWIN, 1, "products")],
)
def test_predictions_stand_where_nothing_was_measured(tmp_path, shape, num_tokens, way):
    write([], tmp_path / "empty.json")
    tiling = choose(shape, num_tokens, path=tmp_path / "empty.json", most_shared_bytes=SM90_BYTES)
    tiles = EIGHT_WARPS_TILES if num_tokens == 64 else TILES[way]  # 512 pairs
    assert tiling == Tiling(way=way, tiles=tiles, is_measured=False)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("way", EXPERT_WAYS | DENSE_WAYS)
def test_predicted_tiles_fit_the_shared_memory_of_small_gpus(way, dtype):
    value_bytes, limit = (4 if dtype == "float32" else 2), 99 * 1024
    for tile, matrices in zip(default_tiling(way, dtype, limit).tiles, (2, 1), strict=False):
        assert tile.num_stages * tile.block_k * (tile.block_m + matrices * tile.block_n) * value_bytes <= limit


def test_a_twin_and_experts_have_their_own_ways():
    assert list(SHAPE.ways) == list(EXPERT_WAYS)
    assert list(TWIN.ways) == list(DENSE_WAYS)
    assert TWIN.is_dense
    assert not SHAPE.is_dense


def test_writing_replaces_what_was_measured_before_and_keeps_the_rest(table):
    write([entry(64, "many")], table)
    assert [(known.num_tokens, known.tiling.way) for known in read(table) if known.shape == SHAPE] == [
        (4, "few"),
        (64, "many"),
        (1024, "many"),
    ]


def test_the_packages_own_table_can_be_read():
    assert all(known.tiling.is_measured for known in read(MEASURED))


@pytest.mark.parametrize("text", ["{", '[{"shape": {}}]', '[{"way": "few"}]', '{"a": 1}'])
def test_a_file_that_is_no_table_is_an_error_with_a_remedy(tmp_path, text):
    (tmp_path / "measured.json").write_text(text)
    with pytest.raises(ValueError, match=r"measured.json must hold rows as bench.tune_experts writes them, got .*; "):
        read(tmp_path / "measured.json")


def test_a_way_that_does_not_compute_the_shape_is_an_error(tmp_path):
    path = tmp_path / "measured.json"
    path.write_text("[]")
    write([entry(4, "fused")], path)
    with pytest.raises(ValueError, match="way must be one of few, many, grouped_mm, persistent, got 'fused'"):
        read(path)
