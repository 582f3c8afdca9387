"""Rows of the four benchmarks as their public copies write them, and the parquet files of such rows."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from fixtures.workload import load_workload


def image_cell(size: tuple[int, int] = (40, 30)) -> dict[str, Any]:
    buffer = BytesIO()
    Image.linear_gradient("L").resize(size).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def mmmu_row(**changes: Any) -> dict[str, Any]:
    row = {"question": "What is <image 1>?", "options": "['one', 'two']", "answer": "B",
           "question_type": "multiple-choice"}  # fmt: skip
    return {**row, **{f"image_{n}": None for n in range(1, 8)}, "image_1": image_cell(), **changes}


ROWS: dict[str, list[dict[str, Any]]] = {
    "mmmu": [mmmu_row(), mmmu_row(question="Is <image 1> or <image 2> larger?", image_2=image_cell((20, 20)))],
    "mathvista": [{"question": "How long is AB?", "decoded_image": image_cell(), "choices": ["3", "4"], "unit": "cm",
                   "answer": "4", "precision": 1.0, "question_type": "multi_choice", "answer_type": "text"}],
    "chartqa": [{"image": image_cell(), "query": f"Value of {i}?", "label": [str(i)], "human_or_machine": i % 2}
                for i in range(4)],
    "docvqa": [{"question": question, "docId": 1, "answers": ["1 May", "May 1"], "image": image_cell()}
               for question in ("What is the date?", "What does <image> stand for, and </s>?")],
}  # fmt: skip


def write_rows(folder: Path, name: str, *rows: dict[str, Any]) -> Path:
    """Write rows as the hub does: one file of the benchmark's split."""
    path = folder / f"{load_workload(name).split}-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path
