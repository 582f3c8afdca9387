"""What may be believed, said a second time and otherwise than the readers say it: in plain functions, from the docs.

A schema is a function of a value; what it returns is whether the value may be there.
"""

import math
from collections.abc import Callable
from typing import Any

Schema = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str)


def name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def flag(value: Any) -> bool:
    return value is True or value is False


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def positive(value: Any) -> bool:
    return number(value) and value > 0


def share(value: Any) -> bool:
    return number(value) and 0 <= value <= 1


def not_negative(value: Any) -> bool:
    return number(value) and value >= 0


def count(value: Any) -> bool:
    return not_negative(value) and isinstance(value, int)


def several(value: Any) -> bool:
    return count(value) and value >= 1


def anything(_value: Any) -> bool:
    return True


def one_of(*known: Any) -> Schema:
    return lambda value: any(type(value) is type(one) and value == one for one in known)


def either(*schemas: Schema) -> Schema:
    return lambda value: any(schema(value) for schema in schemas)


def a_list(schema: Schema, least: int = 0, most: float = math.inf) -> Schema:
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(schema, value))


def a_map(schema: Schema) -> Schema:
    return lambda value: isinstance(value, dict) and all(map(schema, value.values()))


def an_object(is_open: bool = False, /, **fields: Schema) -> Schema:
    """Return a schema of an object; a field that may be missing ends in an underscore."""

    def holds(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        wanted = {key.removesuffix("_"): schema for key, schema in fields.items()}
        missing = [key for key in fields if not key.endswith("_") and key not in value]
        unknown = [] if is_open else [key for key in value if key not in wanted]
        return not missing and not unknown and all(wanted[key](one) for key, one in value.items() if key in wanted)

    return holds


def pair(first: Schema, second: Schema) -> Schema:
    return lambda value: isinstance(value, list) and len(value) == 2 and first(value[0]) and second(value[1])


def ordered(schema: Schema) -> Schema:
    return lambda value: schema(value) and value["low"] <= value["estimate"] <= value["high"]


def interval(schema: Schema) -> Schema:
    return ordered(an_object(True, estimate=schema, low=schema, high=schema, num_samples_=several))


NULL = one_of(None)
WORK = an_object(True, flops=not_negative, bytes=not_negative, parts_=a_list(a_list(not_negative, 2, 2)))
LAUNCH = an_object(True, id=name, started=name, sees_throttling_=flag, check_s_=not_negative, timed_s_=not_negative)
SERIES = an_object(
    scenario=name, arm=name, metric=name, num_units=positive, anchor=either(text, NULL), rates=a_map(number),
    params=a_map(anything), hashes=a_map(text), facts=a_map(number),
    cost=either(NULL, WORK), path_=text, kernel_=text,
    launches=a_list(an_object(id=name, samples=a_list(positive), voided=count), 1),
)  # fmt: skip
HEADER = an_object(
    schema_version=one_of(1), fingerprint=a_map(anything), launch=LAUNCH, peaks=a_map(positive), complete=flag,
    kind=an_object(device=one_of("cpu", "cuda"), device_model=name, device_count=count, dtype=name, num_threads=count,
                   torch=name),
    options=an_object(True, axes_=a_map(a_list(text)), arguments_=a_list(anything)), injected=a_map(positive),
    timing_=count, not_fitting=a_list(an_object(True, scenario=name, reason_=text)), filtered_=flag,
    selected_=a_list(text),
    failed_=a_list(text), wrong_=a_list(an_object(scenario=name, why=text)), checksum=name,
    backends_=a_map(pair(a_list(text), text)), launch_headers_=a_list(LAUNCH),
    promotion_=either(NULL, an_object(reason=text, commit=text, date=text, release=text, launches=count)),
)  # fmt: skip
ENTRY = an_object(True, name=name, fullname=name, extra_info=an_object(True, moevlm=SERIES))


def entries_of(document: Any) -> list[Any]:
    return [*document["benchmarks"], *document.get("counted", [])]


def record(value: Any) -> bool:
    """Hold a record against its fields, then against what its parts must have in common."""
    if not an_object(
        True, moevlm=HEADER, benchmarks=a_list(ENTRY), counted_=a_list(ENTRY), commit_info_=a_map(anything)
    )(value):
        return False
    blocks: dict[str, dict[str, Any]] = {}
    for entry in entries_of(value):
        one = entry["extra_info"]["moevlm"]
        lengths = [(launch["id"], len(launch["samples"])) for launch in one["launches"]]
        if one["arm"] in blocks.setdefault(one["scenario"], {}) or len(dict(lengths)) < len(lengths):
            return False
        blocks[one["scenario"]][one["arm"]] = lengths
    header = value["moevlm"]
    wrong = [one["scenario"] for one in header.get("wrong", [])]
    return (
        all("moe" in arms and all(found == arms["moe"] for found in arms.values()) for arms in blocks.values())
        and not (wrong and header["complete"])
        and not set(wrong) & set(blocks)
    )


def ledger(value: Any) -> bool:
    texts = dict.fromkeys(("reason", "date", "commit", "release"), text)
    numbers = dict.fromkeys(("old", "new", "log_ratio"), positive)
    entry = an_object(scenario=name, baseline=name, control=one_of("moe/dense"), **numbers, **texts)
    return a_list(entry)(value) and all(
        abs(abs(math.log(one["new"]) - math.log(one["old"])) - one["log_ratio"]) < 1e-6 for one in value
    )


def plan(value: Any) -> bool:
    step = an_object(name=name, why=text, options=a_list(text), files_=a_list(text), launches_=several, suites_=several)
    return an_object(step=a_list(step, 1))(value)


def tolerances(value: Any) -> bool:
    limit = an_object(scenarios=text, tolerance_percent=positive, reason=name, smallest_effect_percent_=positive)
    return an_object(limit_=a_list(limit))(value)


def points(value: Any) -> bool:
    """Hold a sum and a count a picture, no sum above its count, and a question at all."""
    return (
        an_object(True, sums=a_list(not_negative), counts=a_list(count))(value)
        and len(value["sums"]) == len(value["counts"])
        and sum(value["counts"]) > 0
        and all(one <= number for one, number in zip(value["sums"], value["counts"], strict=True))
    )


SCORED = {
    **dict.fromkeys(("variant", "size", "source_", "split_", "weights_"), text), "task": name,
    **dict.fromkeys(("num_parameters", "num_active_parameters"), positive),
    "accuracy": lambda value: a_map(interval(share))(value) and "all" in value,
    "throughput": an_object(True, req_per_s=interval(positive), prefill_tok_per_s=interval(positive)),
    "seed_": count, "basis_": one_of("measured", "predicted"), "minus_dense_": interval(number),
    "unparsed_rate_": share, "compared_with_": a_list(text), "specialization_coef_": not_negative,
    "blind_": lambda value: a_map(an_object(True, estimate=share))(value) and "all" in value,
    "kind_": one_of("dense", "moe", "smoes", "ablation"), "transition_": either(NULL, count), "points_": points,
}  # fmt: skip
MACHINE = either(text, an_object(True, device_model=name, dtype=name, num_threads=count))


def scored(value: Any) -> bool:
    return an_object(
        True, schema_version=one_of(1), tier=one_of("measured"), machine_=MACHINE, workload_=text,
        test_=an_object(True, batch_size=count, num_pictures=count, difficulty=text),
        twins=a_list(an_object(True, **SCORED), 1),
    )(value)  # fmt: skip


def cells(value: Any) -> bool:
    cell = an_object(
        scale=name, phase=name, batch_size=count, length=count, routing_=name, costs=a_map(WORK),
    )  # fmt: skip
    requests = an_object(scale=name, workload=name, drawn=a_list(request, 1), tile=a_map(WORK))
    return an_object(
        schema_version=one_of(1), kind=one_of("cells"), dtype=name, cells=a_list(cell), requests_=a_list(requests)
    )(value)


def request(value: Any) -> bool:
    """Hold prompt tokens and tiles, which are means, and output tokens, which are counted."""
    return a_list(number, 3, 3)(value) and all(part >= 1 for part in value) and count(value[2])


def twins(value: Any) -> bool:
    scores = a_map(an_object(True, estimate=share, num_samples_=several))
    routing = an_object(
        True, msi=a_list(share, 1), imbalance=a_list(not_negative, 1), text_share=a_list(a_list(share, 1), 1),
        crossing_=a_list(share),
        bins=a_list(either(NULL, a_list(count))), scores=a_list(an_object(True, text=a_list(number, 3, 3),
                                                                         vision=a_list(number, 3, 3))),
    )  # fmt: skip
    shape = an_object(
        True, **dict.fromkeys(("hidden_size", "num_layers", "num_experts", "expert_width", "top_k"), several)
    )
    twin = an_object(
        True, **dict.fromkeys(("task", "variant"), name), size=text, seed=count, shape=shape,
        recipe=an_object(True, num_pictures=several), steps=count, cpu_s=not_negative, num_parameters=positive,
        num_active_parameters=positive, accuracy=scores, blind=scores, styles_=scores,
        log_=a_list(an_object(True, task_loss=number)), routing_=routing, specialization_coef_=not_negative,
        data_hash_=text, transition_=either(NULL, count), points_=points,
        layer_s_=a_map(an_object(True, estimate=positive)),
    )  # fmt: skip
    return an_object(True, twins=a_list(twin, 1))(value)


def suites(lines: Any) -> bool:
    """Hold the lines of a record of suites against the forms of the first, of a suite and of a launch."""
    machine = an_object(True, **dict.fromkeys(("cpu_model", "torch", "transformers"), name), cpu_count=several)
    sample = either(
        *(lambda value, size=size: isinstance(value, list) and len(value) == size for size in (1, 2, 3, 4, 5))
    )
    measured = an_object(end_s_=not_negative, arms_=a_map(sample), verdict_=text, why_=text)
    launch = an_object(
        suite=count, number=count, is_placebo=flag, started=text, seconds=not_negative, load=not_negative,
        scenarios=a_map(measured),
    )  # fmt: skip
    suite = an_object(
        number=count, kind=an_object(injected=a_map(positive), change=text), base=name, head=name,
        setup_s=not_negative,
    )  # fmt: skip
    head = an_object(
        schema_version=one_of(2), machine=machine, scenarios=a_list(name), arguments=a_list(text),
        num_launches=several,
    )  # fmt: skip
    return (
        bool(lines)
        and head(lines[0])
        and all(either(an_object(suite=suite), an_object(launch=launch))(x) for x in lines[1:])
    )


FIGURES = a_list(positive, 3, 3)
CLAIM = an_object(
    scenario=name, against=name, params=a_map(anything), speedup=FIGURES, num_launches=count, text=name, verdict=name
)
MANIFEST = an_object(
    schema_version=one_of(1), commit=a_map(anything), environment=a_map(anything), command=a_list(text),
    claims=a_list(CLAIM, 1), sha256=a_map(text),
)  # fmt: skip
TO_MEASURE = ("scale", "depth", "distinct-layers", "device", "dtype", "threads", "batch-size", "seq-len", "workload",
              "visual", "routing", "num-tokens", "backend", "arms", "seed", "data")  # fmt: skip


def bundle(value: Any) -> bool:
    """Hold the files of a bundle against their forms, then against one another, then what they have run."""
    if value["names"] != ["claims.md", "manifest.json", "record.json"] or not record(value["record.json"]):
        return False
    said, document = value["manifest.json"], value["record.json"]
    header, series = document["moevlm"], [one["extra_info"]["moevlm"] for one in entries_of(document)]
    dense = [(one["scenario"], one["arm"]) for one in series if one["arm"].startswith("dense")]
    timed = {name for name, _ in dense}
    names = [
        entry["fullname"]
        for entry, one in zip(entries_of(document), series, strict=True)
        if one["arm"] == "moe" and one["scenario"] in timed
    ]
    return (
        MANIFEST(said)
        and said["sha256"] == value["hashes"]
        and (said["commit"], said["environment"]) == (document.get("commit_info", {}), header["fingerprint"])
        and said["command"] == ["python", "-m", "pytest", *names, *header["options"]["arguments"]]
        and sorted((claim["scenario"], claim["against"]) for claim in said["claims"]) == sorted(dense)
        and all(len(one["launches"]) > 1 for one in series if one["scenario"] in timed)
        and not header["injected"]
        and not header.get("wrong")
        and all(map(scenario_name, names))
        and all(map(scenario_option, header["options"]["arguments"]))
    )


def scenario_name(word: str) -> bool:
    file, _, function = word.partition("::")
    folders = file.split("/")
    return (
        word.isprintable()
        and folders[0] == "bench"
        and file.endswith(".py")
        and all(part[:1].isalnum() and part.replace(".", "").replace("-", "").isidentifier() for part in folders[1:])
        and function.split("[")[0].isidentifier()
    )


def scenario_option(word: str) -> bool:
    option, _, value = word.partition("=")
    is_known = option.startswith("--") and option[2:] in TO_MEASURE and word.isprintable()
    return is_known and "/" not in value and ".." not in value and not value.startswith("-")
