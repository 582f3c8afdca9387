"""The workflows keep the rules that no runner checks: pinned actions, few rights, no code from outside on the GPU."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.__main__ import COMMANDS
from bench.commands.command_line import parser_of
from bench.commands.parsing import split
from bench.gate.posted import MARKER
from bench.standalone import main as standalone

FOLDER = Path(__file__).parents[1] / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
POST = 'python3 -S -m bench.gate.posted "$RUNNER_TEMP/ab/ab.md" "$RUNNER_TEMP/comment.md" --run "$RUN_URL" --of "$OF"'
DEFAULT_BRANCH = "${{ github.event.repository.default_branch }}"
CACHES = ("TORCH_EXTENSIONS_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
THERE_IS_A_GPU = "vars.GPU_RUNNER == 'true'"
WORDS = ("cache/restore", "bench ab", "cache/save")  # of steps, in their order
CI_PAGE = FOLDER.parents[1] / "docs" / "ci.md"
READING = ("read", "none")


def workflow(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return loaded


def events(document: dict[Any, Any]) -> Any:
    return document[True]  # YAML 1.1 reads the key `on` so


def jobs(*, of: str = "*.yml") -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.stem}.{name}", job) for path in FOLDER.glob(of) for name, job in workflow(path)["jobs"].items()]


def writes(permissions: object) -> bool:
    return permissions == "write-all" or (
        isinstance(permissions, dict) and any(right not in READING for right in permissions.values())
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_with_its_version_beside(path: Path) -> None:
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_one_action_has_one_version() -> None:
    used = {match for path in FILES for match in re.findall(r"uses: (\S+)@(\S+)", path.read_text())}
    assert len({action for action, _ in used}) == len(used)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_workflow_begins_with_rights_to_read_at_most(path: Path) -> None:
    document = workflow(path)
    assert isinstance(document["permissions"], dict)
    assert not writes(document["permissions"])


def test_a_comment_an_issue_a_page_and_its_runs_are_written_by_jobs_that_run_no_code_from_outside() -> None:
    writing = {name: job for name, job in jobs() if writes(job.get("permissions"))}
    assert {name: job["permissions"] for name, job in writing.items()} == {
        "comment.post": {"actions": "read", "contents": "read", "pull-requests": "write"},
        "newest.report": {"actions": "read", "issues": "write"},
        "pages.keep": {"actions": "read", "contents": "write"},
        "pages.publish": {"pages": "write", "id-token": "write"},
        "release.announce": {"actions": "read", "contents": "write"},
        "release.publish": {"id-token": "write"},
    }
    for name, job in writing.items():
        runs = "".join(step.get("run", "") for step in job["steps"])
        assert not re.search(r"\$\{\{", runs)  # names reach the shell as variables
        programs = re.findall(r"\b(?:pip|python\S*|pytest|bash|source)\b.*", runs)
        assert programs == [POST] * (name == "comment.post")
        used = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert [step["with"]["ref"] for step in used] == [DEFAULT_BRANCH] * (name == "comment.post")


def test_a_comment_goes_through_what_defuses_it_before_it_is_posted() -> None:
    ((_, job),) = jobs(of="comment.yml")
    runs = "".join(step.get("run", "") for step in job["steps"])
    assert runs.count('"$RUNNER_TEMP/ab/ab.md"') == 3  # it is a file, no link, and is read by the program alone
    assert re.findall(r"body=@\S+", runs) == ['body=@"$RUNNER_TEMP/comment.md"'] * 2
    assert not re.search(r"\b(cp|mv|cat|ln)\b", runs)


KEPT = "old 1\nold 2\n"


def keep(folder: Path, new: str, kept: str | None) -> subprocess.CompletedProcess[str]:
    """Run the step that keeps the runs, on a repository in a folder; what asks the hub is played."""
    ((_, job),) = [(name, job) for name, job in jobs(of="pages.yml") if name == "pages.keep"]
    (step,) = job["steps"]
    hub, tools, work = folder / "hub" / "owner" / "name", folder / "tools", folder / "work"
    for made in (hub, tools, work):
        made.mkdir(parents=True)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "init", "-q", "--initial-branch=main", str(hub)], check=True)
    if kept is not None:
        (hub / "runs.jsonl").write_text(kept)
        subprocess.run(["git", "-C", str(hub), "checkout", "-q", "-b", "data"], check=True)
        subprocess.run(["git", "-C", str(hub), "add", "."], check=True)
        subprocess.run(["git", "-C", str(hub), *identity, "commit", "-qm", "kept"], check=True)
        subprocess.run(["git", "-C", str(hub), "checkout", "-q", "--detach"], check=True)  # a push may move the branch
    (tools / "gh").write_text(f'#!/bin/sh\nif [ "$1" = run ]; then mkdir "$7"; printf "{new}" > "$7/runs.jsonl"; fi\n')
    (tools / "gh").chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "RUNNER_TEMP": str(folder), "RUN_ID": "1",
        "GITHUB_SERVER_URL": f"file://{folder / 'hub'}", "GH_REPO": "owner/name", "SHA": "c0ffee",
    }  # fmt: skip
    shell = ["bash", "-e", "-c", step["run"]]
    done = subprocess.run(shell, cwd=work, env=environment, capture_output=True, text=True, check=False)
    shown = subprocess.run(
        ["git", "-C", str(hub), "show", "data:runs.jsonl"], capture_output=True, text=True, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, shown.stdout, done.stderr)


@pytest.mark.parametrize("kept", [None, KEPT])
def test_the_runs_are_kept_on_a_branch_of_their_own(tmp_path: Path, kept: str | None) -> None:
    done = keep(tmp_path, f"{kept or ''}new\n".replace("\n", "\\n"), kept)
    assert (done.returncode, done.stdout) == (0, f"{kept or ''}new\n"), done.stderr


def test_runs_that_do_not_begin_with_those_that_are_kept_are_refused(tmp_path: Path) -> None:
    done = keep(tmp_path, "old 1\\nother\\nnew\\n", KEPT)
    assert (done.returncode, done.stdout) == (1, KEPT)
    assert "must begin with the lines that the branch data has" in done.stderr


def test_no_workflow_gives_a_pull_request_the_rights_of_its_target() -> None:
    assert not any("pull_request_target" in events(workflow(path)) for path in FILES)


def test_what_a_pull_request_runs_on_the_gpu_needs_the_label() -> None:
    on_gpu = {name: job for name, job in jobs() if "self-hosted" in job["runs-on"]}
    assert set(on_gpu) == {"perf.gate", "perf.compare", "perf.qualify"}
    gate = on_gpu.pop("perf.gate")
    assert gate["if"].split(" && ") == [
        THERE_IS_A_GPU,
        "github.event_name == 'pull_request'",
        "github.event.action == 'labeled'",
        "github.event.label.name == 'gpu'",
    ]
    assert events(workflow(FOLDER / "perf.yml"))["pull_request"] == {"types": ["labeled"]}
    assert gate["steps"][0]["with"]["ref"] == "${{ github.event.pull_request.head.sha }}"  # that had the label
    assert on_gpu["perf.compare"]["if"] == f"{THERE_IS_A_GPU} && github.event_name != 'pull_request'"
    assert "'schedule'" in on_gpu["perf.qualify"]["if"]


def test_nothing_waits_for_a_gpu_that_nobody_has_registered() -> None:
    for name, job in jobs():
        if job["runs-on"] != "ubuntu-latest":
            assert THERE_IS_A_GPU in job["if"].split(" && "), name


def test_hosted_runners_measure_every_pull_request_without_label_secret_or_right() -> None:
    document = workflow(FOLDER / "perf-cpu.yml")
    assert events(document) == {"pull_request": None}
    ((_, job),) = jobs(of="perf-cpu.yml")
    assert (job["runs-on"], "if" in job, "permissions" in job) == ("ubuntu-latest", False, False)
    assert document["permissions"] == {"contents": "read"}
    assert "secrets." not in (FOLDER / "perf-cpu.yml").read_text()


def test_every_gate_of_a_pull_request_is_commented_on_with_the_artifact_that_it_leaves() -> None:
    measuring = {
        path.stem for path in FILES if "pull_request" in events(workflow(path)) and " -m bench ab " in path.read_text()
    }
    assert measuring == {"perf", "perf-cpu"}
    assert set(events(workflow(FOLDER / "comment.yml"))["workflow_run"]["workflows"]) == measuring
    for name in measuring:
        steps = workflow(FOLDER / f"{name}.yml")["jobs"]["gate"]["steps"]
        (left,) = (step for step in steps if "upload-artifact" in step.get("uses", ""))
        assert (left["if"], left["with"]["name"], left["with"]["path"]) == ("always()", "ab", "records/")


def test_the_last_pushs_result_is_there_before_ab_looks_for_it_and_is_kept_whatever_ab_says() -> None:
    steps = workflow(FOLDER / "perf-cpu.yml")["jobs"]["gate"]["steps"]
    order = [next((word for word in WORDS if word in str(step)), "") for step in steps]
    assert [word for word in order if word] == list(WORDS)
    brought, _, kept = (steps[order.index(word)] for word in WORDS)
    assert brought["with"]["path"] == kept["with"]["path"] == "records/ab.json"
    assert brought["with"]["key"] == kept["with"]["key"]
    assert kept["if"] == "${{ !cancelled() }}"


def test_what_runners_and_the_page_about_them_run_is_a_command_that_there_is() -> None:
    texts = [path.read_text() for path in FILES] + [CI_PAGE.read_text()]
    found = [line for text in texts for line in re.findall(r"-m bench (ab .*|qualify .*)", text.replace("\\\n", " "))]
    assert len(found) >= 4
    for line in found:
        ours, _ = split(shlex.split(re.sub(r"\$(BUDGET|\{BUDGET\})", "20m", line)))
        assert parser_of(COMMANDS, ours[:1]).parse_args(ours).run, line


@pytest.fixture
def own(tmp_path: Path) -> dict[str, Any]:
    """Return the steps of another package's workflows, by file, made as the page says."""
    (text,) = re.findall(r"```bash\n(.*?)```", CI_PAGE.read_text(), re.S)
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    recipe = text.replace("CLONE", str(FOLDER.parents[1])).replace("OWNER/NAME", "a/b")
    subprocess.run(["bash", "-e", "-c", recipe], cwd=tmp_path, check=True)
    made = {path.stem: workflow(path) for path in (tmp_path / ".github" / "workflows").iterdir()}
    return {
        name: [step for job in document["jobs"].values() for step in job["steps"]] for name, document in made.items()
    }


def test_a_package_of_another_is_measured_by_what_the_page_makes_of_our_workflow(own: dict[str, Any]) -> None:
    runs = [step["run"] for step in own["perf-cpu"] if "run" in step]
    assert [run for run in runs if "pip install" in run] == [
        'pip install --quiet -e . "moevlm-bench @ git+https://github.com/a/b#subdirectory=bench/standalone"'
    ]
    (line,) = re.findall(r"^ *moevlm-bench (ab .*)", "\n".join(runs), re.M)
    ours, _ = split(shlex.split(line.replace("$BUDGET", "20m")))
    assert parser_of(standalone.COMMANDS).parse_args([*ours, "--package", "theirs"]).run
    assert not re.search(r"-m bench|--scale", "\n".join(runs))


def test_a_comment_on_another_package_is_defused_by_code_that_is_there(own: dict[str, Any]) -> None:
    (checkout,) = [step["with"] for step in own["comment"] if "checkout" in step.get("uses", "")]
    assert checkout == {"repository": "a/b", "persist-credentials": False}


def test_the_pages_gitlab_job_is_yaml_and_keeps_its_result_whatever_it_is() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", CI_PAGE.read_text(), re.S)
    (job,) = yaml.safe_load(text).values()
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"] == {"junit": "ab.xml"}
    assert job["variables"]["GIT_DEPTH"] == 0


def test_no_job_on_the_gpu_loads_kernels_that_another_compiled(tmp_path: Path) -> None:
    for name, job in jobs(of="perf.yml"):
        names = [step.get("name") for step in job["steps"]]
        (setup,) = [step["run"] for step in job["steps"] if step.get("name") == "install"]
        lines = setup.splitlines()
        loop = "\n".join(lines[: lines.index("done") + 1])
        environment = {"RUNNER_TEMP": "/job", "GITHUB_ENV": str(tmp_path / name)}
        subprocess.run(["sh", "-c", loop], env=environment, check=True)
        assert (tmp_path / name).read_text().splitlines() == [f"{cache}=/job/kernels" for cache in CACHES]
        assert names.index("install") < min(i for i, step in enumerate(job["steps"]) if "$OPTIONS" in str(step))


def test_a_release_is_built_from_a_tag_that_is_checked_and_published_without_a_secret() -> None:
    document = workflow(FOLDER / "release.yml")
    assert events(document) == {"push": {"tags": ["v*"]}}
    build, publish, announce = (document["jobs"][name] for name in ("build", "publish", "announce"))
    runs = "".join(step.get("run", "") for step in build["steps"])
    order = [
        runs.index(part) for part in (".ci/release.py", "-m build --outdir dist .", "bench/standalone", "twine check")
    ]
    assert order == sorted(order)
    assert (publish["needs"], publish["environment"], announce["needs"]) == ("build", "pypi", "publish")
    assert [step["uses"].partition("@")[0] for step in publish["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
    assert "secrets." not in (FOLDER / "release.yml").read_text()


def test_no_step_writes_a_name_from_outside_into_a_shell() -> None:
    runs = [step["run"] for _, job in jobs() for step in job["steps"] if "run" in step]
    assert not any("${{ github.event" in run or "head_ref" in run for run in runs)


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [s for _, job in jobs() for s in job["steps"] if s.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_comment_is_found_again_by_the_marker_that_it_begins_with() -> None:
    ((_, job),) = jobs(of="comment.yml")
    assert job["env"]["MARKER"] == MARKER


def test_every_gate_fails_closed_by_its_defaults() -> None:
    runs = [(name, step["run"]) for name, job in jobs() for step in job["steps"] if "run" in step]
    assert not any("--allow-inconclusive" in run for _, run in runs)
    assert any(name == "perf.compare" and "--compare=require" in run for name, run in runs)
