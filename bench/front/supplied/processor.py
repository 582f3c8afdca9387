"""Load the processor of a checkpoint: what turns texts and images into a model's inputs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from transformers import AutoProcessor, ProcessorMixin
from transformers.models.auto.video_processing_auto import AutoVideoProcessor
from transformers.utils.import_utils import is_torchvision_available

from bench.front.supplied.causes import first_line, remedy_of
from bench.front.supplied.prompts import MARKING

REMEDY = "save it beside the weights with processor.save_pretrained"


def load_processor(name: str) -> Any:
    """Load a processor that pads on the left; code that a checkpoint brings along is never run.

    A chat template that only the tokenizer has, as many published checkpoints keep it, is the processor's too.

    Args:
        name: Folder of a checkpoint, or a model's name on the Hugging Face Hub.

    Raises:
        ValueError: There is none, it takes no images, or nothing says how a prompt is written.
    """
    try:
        with _images_alone():
            processor = AutoProcessor.from_pretrained(name, trust_remote_code=False)
    except Exception as error:  # transformers and what it calls say in many ways that a stranger's file is damaged
        said = remedy_of(error, name, REMEDY)
        raise ValueError(f"{name} must hold its processor, got {first_line(error)}; {said}") from error
    _require_parts(name, processor)
    if not getattr(processor, "chat_template", None):
        processor.chat_template = getattr(processor.tokenizer, "chat_template", None)
    if not (processor.chat_template or getattr(processor, "image_token", None) or type(processor).__name__ in MARKING):
        raise ValueError(
            f"a processor must have a chat template or an image_token to write a prompt with, got "
            f"{type(processor).__name__} of {name} without; give the checkpoint its chat_template.jinja"
        )
    processor.tokenizer.padding_side = "left"  # the answer goes on where the prompt ends
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _require_parts(name: str, processor: Any) -> None:
    missing = [part for part in ("tokenizer", "image_processor") if getattr(processor, part, None) is None]
    if missing:  # AutoProcessor falls back to a tokenizer alone
        raise ValueError(
            f"{name} must hold a processor of text and images, got {type(processor).__name__} without "
            f"{' and '.join(missing)}; {REMEDY}"
        )


class NoVideos(dict[str, Any]):
    """Stands where a processor keeps what reads videos; empty, as a processor is printed while it loads."""

    model_input_names: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        """Refuse a processor that reads images by what it knows of videos."""
        raise AttributeError(f"{name} of its videos: the package torchvision") from ImportError("torchvision")


@contextmanager
def _images_alone() -> Iterator[None]:
    """Spare the package torchvision: what reads videos needs it, and no question here shows one."""
    if is_torchvision_available():
        yield
        return
    own: Any = ProcessorMixin.check_argument_for_proper_class

    def checked(processor: Any, name: str, part: Any) -> Any:
        return NoVideos if isinstance(part, NoVideos) else own(processor, name, part)

    with (
        patch.object(AutoVideoProcessor, "from_pretrained", lambda *_, **__: NoVideos()),
        patch.object(ProcessorMixin, "check_argument_for_proper_class", checked),
    ):
        yield
