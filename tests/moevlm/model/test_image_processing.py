"""Images reach the model as a viewer shows them in whatever way they are handed over, and after saving and loading."""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, CLIPVisionConfig
from transformers.models.auto.image_processing_auto import AutoImageProcessor
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

from moevlm.config import MoEVLMConfig, MoEVLMTextConfig
from moevlm.model.processing import MoEVLMProcessor, build_processor

GRIDS = [[56, 112], [112, 56]]
TEMPLATE = "{% for message in messages %}{% for part in message['content'] %}<image>{% endfor %}{% endfor %}"


def processor_of(visual: str) -> MoEVLMProcessor:
    return build_processor(
        MoEVLMConfig(
            vision_config=CLIPVisionConfig(image_size=56, patch_size=14),
            text_config=MoEVLMTextConfig(vocab_size=1024, max_position_embeddings=512),
            image_token_id=3,
            image_grid_pinpoints=GRIDS if visual == "anyres" else None,
        )
    )


def stored_image() -> Image.Image:
    """Return half transparent red, 40 px wide and 30 high, stored so that it is seen 30 px wide and 40 high."""
    image = Image.new("RGBA", (40, 30), (255, 0, 0, 128))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    image.save(buffer, "PNG", exif=exif)
    return Image.open(BytesIO(buffer.getvalue()))


SEEN = np.full((40, 30, 3), (255, 127, 127), np.uint8)  # an array is pixels already: nothing is done to it


@pytest.fixture
def file(tmp_path: Path) -> Path:
    stored = stored_image()
    stored.save(tmp_path / "stored.png", exif=stored.getexif())
    return tmp_path / "stored.png"


@pytest.fixture
def url(file: Path) -> Iterator[str]:
    """Serve the file's folder on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=file.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/{file.name}"
        server.shutdown()


def assert_alike(found: Any, expected: Any) -> None:
    assert set(found) == set(expected)
    assert all(torch.equal(torch.as_tensor(found[name]), torch.as_tensor(expected[name])) for name in expected)


@pytest.mark.parametrize("visual", ["fixed", "anyres"])
@pytest.mark.parametrize("nested", [lambda image: image, lambda image: [image], lambda image: [[image]]])
def test_an_image_alone_or_in_lists_is_seen_as_it_is_shown(visual: str, nested: Callable[[Any], Any]) -> None:
    processor = processor_of(visual)
    made = processor(images=nested(stored_image()), text="<image>", return_tensors="pt")
    assert_alike(made, processor(images=SEEN, text="<image>", return_tensors="pt"))


@pytest.mark.parametrize("visual", ["fixed", "anyres"])
def test_a_text_may_name_a_file_a_url_or_hold_the_file_itself(visual: str, file: Path, url: str) -> None:
    processor = processor_of(visual)
    expected = processor(images=SEEN, text="<image>", return_tensors="pt")
    encoded = b64encode(file.read_bytes()).decode()
    for named in (str(file), url, encoded, f"data:image/png;base64,{encoded}"):
        assert_alike(processor(images=named, text="<image>", return_tensors="pt"), expected)
    talk = [{"role": "user", "content": [{"type": "image", "path": str(file)}]}]
    made = processor.apply_chat_template(
        talk, chat_template=TEMPLATE, tokenize=True, return_dict=True, return_tensors="pt"
    )
    assert_alike(made, expected)


@pytest.mark.parametrize("named", ["absent.png", "absent/picture", "data:image/png;base64,"])
def test_a_text_that_names_no_image_is_refused(named: str) -> None:
    with pytest.raises(ValueError, match=f"must be a URL, a path or base64 of an image file, got '{named}': .*correct"):
        processor_of("fixed")(images=named, text="<image>")


@pytest.mark.parametrize("visual", ["fixed", "anyres"])
def test_the_image_processor_alone_sees_the_same(visual: str, file: Path) -> None:
    processor = processor_of(visual).image_processor
    expected = processor(SEEN, return_tensors="pt")
    for image in (stored_image(), str(file)):
        assert_alike(processor(image, return_tensors="pt"), expected)


@pytest.mark.parametrize("make", [torch.as_tensor, lambda array: array.transpose(2, 0, 1), np.float32])
def test_arrays_and_tensors_are_pixels_already(make: Callable[[np.ndarray], Any]) -> None:
    processor = processor_of("fixed")
    made = processor(images=make(SEEN), text="<image>", return_tensors="pt")
    assert_alike(made, processor(images=Image.fromarray(SEEN), text="<image>", return_tensors="pt"))


@pytest.mark.parametrize("visual", ["fixed", "anyres"])
def test_saved_and_loaded_it_sees_the_same(visual: str, tmp_path: Path) -> None:
    processor = processor_of(visual)
    processor.save_pretrained(tmp_path)
    alone = AutoImageProcessor.from_pretrained(tmp_path)
    assert type(alone) is type(processor.image_processor)
    expected = processor.image_processor(SEEN, return_tensors="pt")
    assert_alike(alone(stored_image(), return_tensors="pt"), expected)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert (type(loaded), type(loaded.image_processor)) == (MoEVLMProcessor, type(processor.image_processor))
    assert loaded.tokenizer.model_max_length == processor.tokenizer.model_max_length == 512
    request = {"text": "<image>", "return_tensors": "pt"}
    assert_alike(loaded(images=stored_image(), **request), processor(images=SEEN, **request))


def test_another_image_processor_in_ours_is_shown_the_same() -> None:
    ours = processor_of("anyres")
    other = LlavaNextImageProcessorPil(
        size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=GRIDS
    )
    processor = MoEVLMProcessor(
        other, ours.tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    request = {"text": "<image>", "return_tensors": "pt"}
    assert_alike(processor(images=stored_image(), **request), ours(images=SEEN, **request))
