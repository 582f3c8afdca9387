"""transformers' image-text-to-text pipeline answers what generate() does: from parts, by a folder, and over a chat."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import pipeline

from moevlm import MoEVLM
from moevlm.model.processing import build_processor
from moevlm.presets import preset_config

TASK, TEXTS = "image-text-to-text", ["<image>Which colour is it?", "<image>Where?"]
GREEDY = {"do_sample": False, "max_new_tokens": 8}


@pytest.fixture(scope="module", params=["fixed", "anyres"])
def parts(request):
    config = preset_config("tiny", visual=request.param)
    config.text_config.initializer_range = 0.2  # wide, so that greedy output is not one repeated token
    torch.manual_seed(3)
    return {"model": MoEVLM(config).eval(), "processor": build_processor(config)}


@pytest.fixture(scope="module")
def images():
    pixels = np.random.default_rng(0).integers(0, 255, (2, 60, 90, 3), dtype=np.uint8)
    return [Image.fromarray(pixels[0]), Image.fromarray(pixels[1, :, :40])]


def generated(parts, images, texts):
    inputs = parts["processor"](images=images, text=texts, padding=True, return_tensors="pt")
    tokens = parts["model"].generate(**inputs, **GREEDY)[:, inputs["input_ids"].shape[1] :]
    return parts["processor"].batch_decode(tokens, skip_special_tokens=True)


def answered(outputs):
    return [output["generated_text"] for output in outputs]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_answers_are_those_of_generate(parts, images, batch_size):
    pipe = pipeline(TASK, **parts)
    found = pipe(images=images, text=TEXTS, return_full_text=False, batch_size=batch_size, generate_kwargs=GREEDY)
    expected = [generated(parts, [image], [text])[0] for image, text in zip(images, TEXTS, strict=True)]
    assert answered(found) == expected
    assert len(set(expected)) == 2


def test_a_saved_model_is_found_by_its_folder(parts, images, tmp_path):
    for part in parts.values():
        part.save_pretrained(tmp_path)
    pipe = pipeline(TASK, model=str(tmp_path))
    found = pipe(images=images[0], text=TEXTS[0], return_full_text=False, generate_kwargs=GREEDY)
    assert answered(found) == generated(parts, images[:1], TEXTS[:1])


def test_a_chat_is_its_messages_in_order_and_answered_as_a_prompt(parts, images):
    content = [*({"type": "image", "image": image} for image in images), {"type": "text", "text": "Which is larger?"}]
    chat = [{"role": "user", "content": content}, {"role": "assistant", "content": "The first."},
            {"role": "user", "content": [{"type": "text", "text": "Why?"}]}]  # fmt: skip
    prompt = "<image><image>\nWhich is larger?\nThe first.\nWhy?"
    assert parts["processor"].apply_chat_template(chat, add_generation_prompt=True) == prompt
    found = pipeline(TASK, **parts)(text=chat, return_full_text=False, generate_kwargs=GREEDY)
    assert answered(found) == generated(parts, images, [prompt])
