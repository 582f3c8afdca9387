"""Which families of transformers can be asked a question about an image in words, and why others cannot."""

from importlib.metadata import version

from transformers import PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

# Families that transformers maps to image-text-to-text and that no question in words can be put to.
UNSUPPORTED: dict[str, str] = {
    "blip": "which writes captions: a question would be the beginning of one",
    "evolla": "which reads proteins",
    "git": "which writes captions: a question would be the beginning of one",
    "got_ocr2": "which transcribes pictures and takes no question",
    "instructblipvideo": "which reads videos",
    "mistral4": "which reads text alone",
    "pi0": "which moves robots",
    "pix2struct": "whose question is drawn into its picture",
    "pp_formulanet": "which transcribes formulas and takes no question",
    "shieldgemma2": "which judges pictures by policies",
    "udop": "which reads words and their places that another program found",
    "vision-encoder-decoder": "which transcribes pictures and takes no question",
}
# Families that a version of transformers cannot run with an image: the model is read, and fails in its own code.
BROKEN: dict[tuple[str, str], str] = {
    ("llama4", "5.24.0"): "which transformers 5.24.0 itself fails to run with an image: it asks for image_outputs that "
    "its decoder does not give",
}


def require_supported(name: str, config: PreTrainedConfig) -> None:
    """Refuse a family that does not answer questions about images, before anything of it is read.

    Raises:
        ValueError: It is one.
    """
    if why := UNSUPPORTED.get(config.model_type) or BROKEN.get((config.model_type, version("transformers"))):
        raise ValueError(
            f"--checkpoint must answer a question about an image, got model_type {config.model_type} in {name}, "
            f"{why}; take another"
        )
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ValueError(
            f"--checkpoint must be an image-text-to-text model, got model_type {config.model_type} in {name}; "
            "take a vision-language checkpoint that AutoModelForImageTextToText knows"
        )
