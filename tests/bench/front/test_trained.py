"""The document of a folder of twins: what it holds, that answers are kept, and that what it compares is paired."""

import csv
import json
import random
import statistics
import sys
from pathlib import Path

import pytest
import torch

from bench.contrasts import graded_of
from bench.front.trained.__main__ import main
from bench.front.trained.document import _kin
from bench.front.trained.exam import Scored
from bench.front.trained.layers import measure_layers
from bench.front.trained.plan import ASSUMED, spread_of
from bench.front.trained.ship import ship
from bench.front.trained.throughput import measure_throughput
from bench.pages.pareto.documents import read_tiers
from bench.pages.twins.documents import Setting, read_settings
from bench.pages.twins.learning import learned
from bench.power import Plan, Spread, excluded, measured_spread, seen
from fixtures.tasks.easy_vqa import load_easy_vqa
from fixtures.tasks.procedural import TASKS
from fixtures.training import shipped
from fixtures.training.__main__ import main as train
from fixtures.training.answers import held_out_pictures, requests_of
from fixtures.training.recipes import SIZES
from fixtures.training.runs import TwinKey, load_model
from fixtures.training.tokens import Lexicon
from fixtures.training.variants import build
from tests.fixtures.easy_vqa_stand_in import stand_in

ROOT = Path(__file__).parents[3]
DOCUMENTS = TASKS["documents"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("twins")
    train(
        ["--recipe", "seconds", "--tasks", "documents", "--variants", "dense,plain", "--seeds", "0", "--out", str(out)]
    )
    return out


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("bench.front.trained.document.TRAIN_PICTURES", 100)

    def few_blocks(*args, num_blocks):
        return measure_throughput(*args, num_blocks=6)

    monkeypatch.setattr("bench.front.trained.document.measure_throughput", few_blocks)

    def few_layer_blocks(*args, num_blocks):
        return measure_layers(*args, num_blocks=6)

    monkeypatch.setattr("bench.front.trained.document.measure_layers", few_layer_blocks)


def few(folder, num_pictures, num_shifted=0):
    return ["score", str(folder), "--pictures", str(num_pictures), "--shifted-pictures", str(num_shifted)]


def test_the_document_holds_what_the_front_is_drawn_from(folder, tmp_path, capsys):
    path = tmp_path / "front.json"
    main([*few(folder, 4, num_shifted=1), "--out", str(path)])
    printed = capsys.readouterr().out
    assert "| documents | small  | plain" in printed
    document = json.loads(path.read_text())
    assert (document["schema_version"], document["tier"]) == (1, "measured")
    assert document["machine"]["num_threads"] == 1
    dense, plain = document["twins"]
    assert (dense["variant"], plain["variant"]) == ("dense", "plain")
    assert "minus_dense" not in dense
    told = dense["points"]
    assert sum(told["sums"]) / sum(told["counts"]) == pytest.approx(dense["accuracy"]["all"]["estimate"], abs=1e-5)
    assert (len(told["counts"]), sum(told["counts"])) == (4, dense["accuracy"]["all"]["num_samples"])
    difference = plain["accuracy"]["all"]["estimate"] - dense["accuracy"]["all"]["estimate"]
    assert plain["minus_dense"]["estimate"] == pytest.approx(difference, abs=1e-5)
    for twin in document["twins"]:
        assert twin["accuracy"]["all"]["num_samples"] == len(requests_of(held_out_pictures(DOCUMENTS, 4)))
        assert set(twin["styles"]) == {"tinted", "smaller", "typed", "screen"}
        less = twin["accuracy"]["all"]["estimate"] - twin["blind"]["all"]["estimate"]
        assert twin["minus_blind"]["estimate"] == pytest.approx(less, abs=1e-5)
        for axis in ("req_per_s", "prefill_tok_per_s"):
            rate = twin["throughput"][axis]
            assert 0 < rate["low"] <= rate["estimate"] <= rate["high"]
        assert set(twin["layer_s"]) == {"prefill", "decode"}
        assert all(0 < one["low"] <= one["estimate"] <= one["high"] for one in twin["layer_s"].values())
    assert ("routing" in dense, "routing" in plain) == (False, True)
    assert len(plain["routing"]["crossing"]) == 3
    assert not any("specialization_coef" in twin for twin in document["twins"])  # neither has the loss
    for point in read_tiers([path])["measured"].points:  # as both pages read it
        assert (point.num_unfinished, point.graded.counts_P.tolist()) == (1, told["counts"])
    (setting,) = read_settings(path)
    assert [row.finished for row in learned(setting, "plain")] == [0, 0]  # in eight steps nothing is learnt


def test_answers_are_kept_until_the_exam_changes(folder, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("asked again")

    path = tmp_path / "front.json"
    main([*few(folder, 2), "--out", str(path)])
    assert [twin["styles"] for twin in json.loads(path.read_text())["twins"]] == [{}, {}]  # no shifted pictures
    monkeypatch.setattr("bench.front.trained.exam.answers", refuse)
    main(few(folder, 2))
    with pytest.raises(AssertionError, match="asked again"):
        main(few(folder, 1))


def test_a_folder_without_twins_ends_with_the_remedy(tmp_path, capsys):
    with pytest.raises(SystemExit, match="4"):
        main(["score", str(tmp_path)])
    assert "must hold trained twins, got none; train some with python -m fixtures.training" in capsys.readouterr().err


def test_a_shipped_twin_is_the_trained_one_in_half_precision(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    monkeypatch.setattr("bench.front.trained.ship.LEARNS_NOTHING", "gpu")  # these tests' quick twins may ship
    key = TwinKey(task="documents", size="small", variant="plain", seed=0)
    card = ship(folder, key, 2)
    assert card == shipped.read_card("documents", "plain")
    assert card["accuracy"]["all"]["num_samples"] == len(requests_of(held_out_pictures(DOCUMENTS, 2)))
    ours = shipped.load_shipped("documents", "plain", device=CPU).state_dict()
    for name, tensor in load_model(folder / key.folder / "model", device=CPU).state_dict().items():
        torch.testing.assert_close(ours[name], tensor, rtol=2**-11, atol=2**-25)  # half a step of float16
    weights = tmp_path / "documents" / "plain" / "model.safetensors"
    assert weights.stat().st_size == pytest.approx(2 * card["num_parameters"], rel=0.1)


def test_a_twin_that_was_not_trained_does_not_ship(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    with pytest.raises(SystemExit):
        main(["ship", str(folder), "--seed", "7"])
    assert "charts/medium/plain-seed7 must hold a trained twin, got none; train it with" in capsys.readouterr().err


def test_twins_that_learned_nothing_and_other_sizes_do_not_ship(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    with pytest.raises(ValueError, match=r"must have learned something, got the recipe seconds in .*--recipe minutes"):
        ship(folder, TwinKey(task="documents", size="small", variant="plain", seed=0), 2)
    with pytest.raises(ValueError, match="must be one of charts medium, documents small, got documents large"):
        ship(folder, TwinKey(task="documents", size="large", variant="plain", seed=0), 2)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def easy_vqa(tmp_path, monkeypatch):
    load_easy_vqa.cache_clear()
    monkeypatch.setitem(sys.modules, "easy_vqa", stand_in(tmp_path, train=range(1, 8), test=range(4)))
    yield
    load_easy_vqa.cache_clear()


@pytest.mark.usefixtures("easy_vqa")
def test_a_data_set_is_trained_on_and_scored_like_the_tasks_that_are_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("bench.front.trained.document.TRAIN_PICTURES", 7)
    out, path = tmp_path / "twins", tmp_path / "front.json"
    chosen = ["--tasks", "easy-vqa", "--variants", "dense,plain", "--seeds", "0"]
    train(["--recipe", "seconds", *chosen, "--out", str(out)])
    main(["score", str(out), "--pictures", "4", "--out", str(path)])
    twins = json.loads(path.read_text())["twins"]
    assert [(twin["task"], twin["variant"], twin["styles"]) for twin in twins] == [
        ("easy-vqa", "dense", {}),
        ("easy-vqa", "plain", {}),
    ]
    for twin in twins:
        counted = {group: table["num_samples"] for group, table in twin["accuracy"].items()}
        assert counted == {"all": 12, "main split": 12, "shape": 4, "yes or no": 4, "colour": 4}
        assert twin["blind"]["all"]["estimate"] == 0.5  # four of the seven are blue, two of these four
        assert twin["throughput"]["req_per_s"]["estimate"] > 0
    with pytest.raises(SystemExit, match="4"):
        main(["score", str(out), "--pictures", "5"])
    assert "index must be below 4, easy-vqa's pictures of the split test, got 4" in capsys.readouterr().err
    load_easy_vqa.cache_clear()
    monkeypatch.setitem(sys.modules, "easy_vqa", None)
    with pytest.raises(SystemExit, match="4"):
        main(["score", str(out), "--pictures", "4"])
    assert "reading easy-VQA needs its package: pip install easy-vqa" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--pictures", "0"], "--pictures must be at least 1, got 0"),
        (["--shifted-pictures", "-1"], "--shifted-pictures must be at least 0, got -1"),
        (["--threads", "0"], "num_threads must be at least 1, got 0"),
        (["--device", "foo"], "device must be one of auto, cpu"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(folder, capsys, option, message):
    with pytest.raises(SystemExit, match="4"):
        main(["score", str(folder), *option])
    assert message in capsys.readouterr().err


def scored(variant, **about):
    twin = {"size": "small", "seed": 0, "variant": variant, "recipe": {"steps": 1}, "data_hash": "a"}
    return Scored(about={**twin, **about}, styles={}, routing=None)


@pytest.mark.parametrize("other", [{"recipe": {"steps": 2}}, {"data_hash": "b"}, {"seed": 1}, {"size": "large"}])
def test_twins_of_other_training_are_no_kin(other):
    assert _kin(scored("plain")) == _kin(scored("dense"))
    assert _kin(scored("plain")) != _kin(scored("dense", **other))


class CountingClock:
    """Every call takes as many seconds as the fake says, and is run."""

    def __init__(self, seconds):
        self.seconds = iter(seconds)

    def measure(self, call):
        call()
        return type("Timed", (), {"seconds": next(self.seconds)})


def test_rates_are_requests_and_prompt_tokens_over_the_median():
    """Four seconds a call for everything: a quarter of the requests and prompt tokens a second."""
    lexicon = Lexicon(DOCUMENTS)
    model = build(DOCUMENTS, "dense", SIZES["small"], seed=0)[0].eval()
    requests = requests_of(held_out_pictures(DOCUMENTS, 1))[:3]
    clock = CountingClock([4.0] * 100)
    with torch.inference_mode():
        rates = measure_throughput({"one": model, "other": model}, lexicon, requests, clock, num_blocks=7)
    num_tokens = sum(100 + len(lexicon.question(request.question)) for request in requests)
    assert set(rates) == {"one", "other"}
    assert rates["one"]["req_per_s"] == pytest.approx((3 / 4,) * 3)
    assert rates["other"]["prefill_tok_per_s"] == pytest.approx((num_tokens / 4,) * 3)


def test_the_first_blocks_pay_for_allocation_and_do_not_count():
    lexicon = Lexicon(DOCUMENTS)
    model = build(DOCUMENTS, "dense", SIZES["small"], seed=0)[0].eval()
    requests = requests_of(held_out_pictures(DOCUMENTS, 1))[:2]
    slow = [random.Random(0).uniform(50, 90) for _ in range(2 * 2)]  # two warm-up blocks of two calls
    rates = measure_throughput({"one": model}, lexicon, requests, CountingClock(slow + [1.0] * 20), num_blocks=6)
    assert rates["one"]["req_per_s"] == (2.0, 2.0, 2.0)


def test_layers_are_timed_by_phase_and_a_layer_is_its_share_of_all():
    """Six seconds a call of all three layers: two a layer, MoE or dense."""
    lexicon = Lexicon(DOCUMENTS)
    models = {name: build(DOCUMENTS, name, SIZES["small"], seed=0)[0].eval() for name in ("dense", "plain")}
    requests = requests_of(held_out_pictures(DOCUMENTS, 1))[:3]
    found = measure_layers(models, lexicon, requests, CountingClock([6.0] * 100), num_blocks=7)
    assert found == {name: {"prefill": (2.0, 2.0, 2.0), "decode": (2.0, 2.0, 2.0)} for name in models}


CHARTS, OTHERS = (f"docs/records/twins-{name}cpu.json" for name in ("charts-", ""))
PLAN = ["plan", CHARTS, OTHERS]
SHARES = {"seed-sd": "0.02", "picture-sd": "0.2", "within": "0.5", "between": "0.4"}


def test_a_plan_says_what_could_be_told_apart_and_what_it_costs(tmp_path, capsys, monkeypatch):
    """Hours by hand from the record: the processor seconds a step of its twins, times the steps of the recipe."""
    monkeypatch.chdir(ROOT)
    given = [f"--{name}={value}" for name, value in SHARES.items()]
    path = tmp_path / "plan.csv"
    main([*PLAN, "--tasks=charts", "--variants=dense,plain", "--seeds=8", *given, "--out", str(path)])
    assert "| charts, medium" in capsys.readouterr().out
    (row,) = csv.DictReader(path.read_text().splitlines())
    twins = json.loads((ROOT / CHARTS).read_text())["twins"]
    seconds = {
        variant: [twin["cpu_s"] / twin["steps"] for twin in twins
                  if (twin["task"], twin["size"], twin["variant"]) == ("charts", "medium", variant)]
        for variant in ("dense", "plain")
    }  # fmt: skip
    hours = 8 * 3050 * sum(map(statistics.fmean, seconds.values())) / 3600
    assert float(row["hours"]) == pytest.approx(hours, rel=1e-4)
    plan = Plan(spread=Spread(seeds=0.02, pictures=0.2, within=0.5, between=0.4), num_seeds=8, num_pictures=600)
    told = [float(row[name]) for name in ("seen", "seen among 1", "excluded")]
    assert told == pytest.approx([100 * seen(plan), 100 * seen(plan), 100 * excluded(plan)], rel=1e-4)
    assert row["spread"] == "given"


def test_a_plan_that_no_record_can_price_is_refused(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit, match="4"):
        main([*PLAN, "--tasks=mathematics", "--variants=dense,hard-routing"])
    assert "must be in the record on mathematics, medium: dense, plain, smoes-attention, got hard-routing" in (
        capsys.readouterr().err
    )
    with pytest.raises(SystemExit, match="4"):
        main([*PLAN, "--tasks=documents", "--between=0.9"])
    assert "0 <= between <= within <= 1, got 0.9 and 0.4" in capsys.readouterr().err


def test_a_plan_takes_spreads_from_a_record_that_tells_points():
    twins = [{"points": {"sums": [seed, 2, one], "counts": [2, 2, 2]}, "cpu_s": 1.0, "steps": 1}
             for one in (0, 1) for seed in (0, 1, 2)]  # fmt: skip
    setting = Setting("charts", "medium", {"dense": twins[:3], "plain": twins[3:]})
    nothing = dict.fromkeys(("seeds", "pictures", "within", "between"))
    spread, source = spread_of(setting, nothing)
    assert (spread, source) == (measured_spread([graded_of(twins[:3]), graded_of(twins[3:])]), "measured")
    assert spread_of(setting, {**nothing, "seeds": 0.5})[0].seeds == 0.5
    assert spread_of(Setting("charts", "medium", {"dense": [{}]}), nothing) == (ASSUMED, "assumed")


def test_what_the_page_on_tasks_quotes_is_what_a_plan_says(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "plan.csv"
    main([*PLAN, "--seed-sd=0.02", "--picture-sd=0.1", "--within=0.4", "--between=0.25", "--out", str(path)])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    told, together, bound = (f"{float(rows[0][name]):.1f}" for name in ("seen", "seen among 6", "excluded"))
    hours = sum(float(row["hours"]) for row in rows)
    assert (
        f"tell {told} points apart with 80 % power ({together} as the hardest of six pairs) or exclude {bound}, in "
        f"{hours:.1f} hours on charts and documents."
    ) in " ".join((ROOT / "docs" / "tasks.md").read_text().split())
