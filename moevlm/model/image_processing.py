"""LLaVA's image processors, which show the model every image as a viewer shows it."""

import binascii
import os
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from PIL import Image, UnidentifiedImageError
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

from moevlm.model.rgb import as_rgb

URL_SCHEMES = ("http://", "https://")
TIMEOUT_S = 60
NUM_CHARACTERS_SHOWN = 80  # base64 may be megabytes


def fetch_rgb(images: Any) -> Any:
    """Return images with each of Pillow's, and each named by a URL, a path or base64, as its RGB; others as they are.

    Args:
        images: One, or lists of them: what transformers' processors take. Arrays and tensors are pixels already.

    Raises:
        ValueError: A text names no image, or an image has no pixels or one that is no finite number.
        OSError, SyntaxError: An image cannot be fetched or decoded.
    """
    if isinstance(images, list | tuple):
        return [fetch_rgb(image) for image in images]
    if isinstance(images, str):
        return _opened(images)
    return as_rgb(images) if isinstance(images, Image.Image) else images


def _opened(source: str) -> Image.Image:
    """Open what a text names, in the ways of transformers' `load_image`; that one drops transparency."""
    try:
        with Image.open(BytesIO(_read(source))) as image:
            return as_rgb(image)
    except (binascii.Error, UnidentifiedImageError) as error:
        raise ValueError(
            "an image given as a text must be a URL, a path or base64 of an image file, got "
            f"{source[:NUM_CHARACTERS_SHOWN]!r}: {error}; correct it"
        ) from error


def _read(source: str) -> bytes:
    if source.startswith(URL_SCHEMES):
        with urlopen(Request(source, headers={"User-Agent": "moevlm"}), timeout=TIMEOUT_S) as answer:
            return bytes(answer.read())
    if os.path.isfile(source):  # noqa: PTH113  # pathlib's raises where a text is too long for a path
        return Path(source).read_bytes()
    encoded = source.partition(",")[2] if source.startswith("data:image/") else source
    return b64decode("".join(encoded.split()), validate=True)


class MoEVLMFixedImageProcessorPil(LlavaImageProcessorPil):
    """LLaVA-1.5's one tile an image; called alone or by the processor it takes images as people store them."""

    def fetch_images(self, image_url_or_urls: Any) -> Any:
        """Return what is to be processed: transformers' hook, passed once or more."""
        return super().fetch_images(fetch_rgb(image_url_or_urls))


class MoEVLMAnyresImageProcessorPil(LlavaNextImageProcessorPil):
    """LLaVA-NeXT's grid of tiles; called alone or by the processor it takes images as people store them."""

    def fetch_images(self, image_url_or_urls: Any) -> Any:
        """Return what is to be processed: transformers' hook, passed once or more."""
        return super().fetch_images(fetch_rgb(image_url_or_urls))
