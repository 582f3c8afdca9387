"""Configuration of the vision-language model: a CLIP vision tower and a Qwen3-style decoder, MoE or dense."""

# transformers' methods carry no annotations.
# mypy: allow-untyped-calls

import warnings
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar

from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlavaNextConfig,
    PreTrainedConfig,
    Qwen3Config,
    Qwen3MoeConfig,
)

from moevlm.compat import CACHE

FEATURE_STRATEGIES = ("default", "full")  # LLaVA's: without and with the class token's feature
SPECIALIZATION_CHOICES = {  # field -> what it may be; the first is the default
    "modality_scores": ("hard", "attention", "gaussian"),
    "binning": ("momentum", "fixed", "none"),
    "specialization_loss": ("none", "mutual_information", "kl"),
    "load_balance": ("intra_bin", "plain"),
}


# Fields that transformers' base class reads beside its own and ours: of files, of loading, of older spellings.
INHERITED_FIELDS = frozenset(
    ("model_type", "name_or_path", "auto_map", "torch_dtype", "num_labels", "output_attentions", "attn_implementation",
     "experts_implementation", "quantization_config", "rope_theta", "rope_scaling")
)  # fmt: skip


ALIKE = 0.8  # of difflib's ratio: num_expert is num_experts misspelled


def _require(holds: bool, rule: str, value: object, remedy: str) -> None:
    if not holds:
        raise ValueError(f"{rule}, got {value}; {remedy}")


def _check_fields(config: PreTrainedConfig, others: Mapping[str, Any], *family: type[PreTrainedConfig]) -> None:
    """Refuse a misspelled field, and one by which the family's models compute something else; warn of any other.

    Args:
        config: Ours.
        others: What it was given besides its fields and those of transformers' base class.
        family: transformers' configurations of the same kind of model.
    """
    generation = GenerationConfig().to_dict()  # saved in old configurations, which transformers drops
    names = {name for name, value in others.items() if value is not None and not name.startswith("_")}
    names -= INHERITED_FIELDS | generation.keys()
    if not names:
        return
    own = [name for name, kind in vars(type(config))["__annotations__"].items() if "ClassVar" not in str(kind)]
    theirs = {name: value for kind in family for name, value in kind().to_dict().items()}
    other = {name for name in names if name in theirs and others[name] != theirs[name]}
    misspelled = {name for name in names - theirs.keys() if get_close_matches(name, own, cutoff=ALIKE)}
    rule = f"{type(config).__name__} has the fields {', '.join(sorted(own))}"
    _require(not other | misspelled, rule, ", ".join(sorted(other | misspelled)), "correct the name or leave it out")
    if unread := sorted(names - theirs.keys()):
        warnings.warn(f"{rule}; nothing reads {', '.join(unread)}", stacklevel=4)


class MoEVLMTextConfig(PreTrainedConfig):
    """Describe the decoder: Qwen3's block with `num_experts` experts of SwiGLU, or a dense one where it is 0.

    Fields without a line below mean what they mean in Qwen3-MoE.

    Args:
        vocab_size: Rows of the embedding and of the output head.
        hidden_size: Width of the residual stream.
        intermediate_size: Width of the dense feed-forward layer; unused by an MoE.
        head_dim: Width of one attention head; None = hidden_size / num_attention_heads.
        max_position_embeddings: Longest sequence, prompt and output together.
        rope_parameters: RoPE's kind and base as transformers spells them; None = default kind, base 1e6 (Qwen3's).
        num_experts: Experts of a layer; 0 builds a dense decoder.
        num_experts_per_tok: Experts that one token visits (top K).
        moe_intermediate_size: Width of one expert.
        norm_topk_prob: Whether the weights of the K chosen experts are renormalised to sum to 1.
        modality_scores: How SMoES scores tokens: "hard" (image feature or not), "attention" or "gaussian".
        num_bins: Bins of experts, also their placement; 1 = no specialization.
        binning: "momentum" sorts experts into bins as training goes, "fixed" keeps index order, "none" makes each
            expert a bin of its own.
        specialization_loss: "none", "mutual_information" (between modality and bin) or "kl" (the ablation).
        specialization_loss_coef: Weight of that loss (the paper's 1e-4).
        load_balance: Balance load "intra_bin" or over all experts, "plain".
        load_balance_coef: Weight of the balance loss (the paper's 1e-3).
        specialization_momentum: Decay of the bins' and the Gaussians' running means, in [0, 1).
        modality_temperature: Divides the Gaussians' log-likelihoods, in hidden sizes.
        num_text_experts: Hard routing: the first so many experts serve text alone, the others image features alone;
            None = any token may visit any expert.
        ffn_block_size: Dense only. Gate rows and up rows alternate in runs of this many rows, so a dense twin reads
            the tensors of an MoE whose experts have this width; None = one run of `intermediate_size`.

    Raises:
        ValueError: A size is below 1, two sizes do not fit each other, a field is misspelled or another model's.
    """

    model_type = "moevlm_text"
    base_config_key = "text_config"
    keys_to_ignore_at_inference = (CACHE,)
    default_theta = 1_000_000.0

    vocab_size: int = 32064
    hidden_size: int = 2048
    intermediate_size: int = 8192
    num_hidden_layers: int = 16
    num_attention_heads: int = 16
    num_key_value_heads: int = 4
    head_dim: int = None  # type: ignore[assignment]  # derived below where it is not given
    hidden_act: str = "silu"
    max_position_embeddings: int = 16384
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    rope_parameters: dict[str, Any] | None = None
    attention_bias: bool = False
    attention_dropout: float = 0.0
    num_experts: int = 0
    num_experts_per_tok: int = 1
    moe_intermediate_size: int = 1024
    norm_topk_prob: bool = True
    modality_scores: str = "hard"
    num_bins: int = 1
    binning: str = "momentum"
    specialization_loss: str = "none"
    specialization_loss_coef: float = 1e-4
    load_balance: str = "intra_bin"
    load_balance_coef: float = 1e-3
    specialization_momentum: float = 0.99
    modality_temperature: float = 0.5
    num_text_experts: int | None = None
    ffn_block_size: int | None = None
    tie_word_embeddings: bool = False
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Derive head_dim and check that the sizes fit each other."""
        _check_fields(self, kwargs, Qwen3Config, Qwen3MoeConfig)
        self._validate_sizes()
        if self.head_dim is None:
            _require(
                self.hidden_size % self.num_attention_heads == 0,
                f"hidden_size must be a multiple of num_attention_heads={self.num_attention_heads}",
                self.hidden_size,
                "set head_dim, or change one of the two",
            )
            self.head_dim = self.hidden_size // self.num_attention_heads
        self._validate_specialization()
        if self.num_experts:
            self._validate_routing()
        else:
            self._validate_block()
        super().__post_init__(**kwargs)

    def _validate_sizes(self) -> None:
        positive = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                    "max_position_embeddings", "moe_intermediate_size", "intermediate_size")  # fmt: skip
        for name in positive:
            _require(getattr(self, name) >= 1, f"{name} must be at least 1", getattr(self, name), "raise it")
        _require(
            self.num_attention_heads % self.num_key_value_heads == 0,
            f"num_attention_heads must be a multiple of num_key_value_heads={self.num_key_value_heads}",
            self.num_attention_heads,
            "change one of the two",
        )
        rope_fits = self.head_dim is None or self.head_dim % 2 == 0
        _require(rope_fits, "head_dim must be even, as RoPE turns pairs", self.head_dim, "choose an even one")
        _require(self.num_experts >= 0, "num_experts must be at least 0", self.num_experts, "use 0 for a dense model")

    def _validate_routing(self) -> None:
        _require(
            1 <= self.num_experts_per_tok <= self.num_experts,
            f"num_experts_per_tok must be in [1, num_experts={self.num_experts}]",
            self.num_experts_per_tok,
            "choose fewer experts a token, or build more",
        )
        self._validate_bins()
        self._validate_hard_routing()
        _require(
            self.ffn_block_size is None,
            "ffn_block_size must be None in an MoE (its block is moe_intermediate_size)",
            self.ffn_block_size,
            "leave it out, or set num_experts=0",
        )

    def _validate_specialization(self) -> None:
        for name, choices in SPECIALIZATION_CHOICES.items():
            value = getattr(self, name)
            _require(value in choices, f"{name} must be one of {', '.join(choices)}", repr(value), "choose one of them")
        for name in ("specialization_loss_coef", "load_balance_coef"):
            value = getattr(self, name)
            _require(value >= 0, f"{name} must be at least 0", value, "use 0 to leave the loss out")
        beta, tau = self.specialization_momentum, self.modality_temperature
        _require(0 <= beta < 1, "specialization_momentum must be in [0, 1)", beta, "the paper takes 0.99")
        _require(tau > 0, "modality_temperature must be above 0 (in hidden sizes)", tau, "the paper takes 0.5")

    def _validate_bins(self) -> None:
        _require(
            self.num_bins >= 1 and self.num_experts % self.num_bins == 0,
            f"num_bins must divide num_experts={self.num_experts}",
            self.num_bins,
            "choose a divisor",
        )
        _require(
            self.binning != "none" or self.num_bins == 1,
            "num_bins must be 1 where binning is none (every expert is a bin of its own)",
            self.num_bins,
            "leave it out, or choose another binning",
        )
        _require(
            self.specialization_loss == "none" or self.num_loss_bins > 1,
            f"num_bins must be at least 2 for specialization_loss={self.specialization_loss!r}, which compares bins",
            self.num_bins,
            "choose some, or binning='none'",
        )

    def _validate_hard_routing(self) -> None:
        least, most = self.num_experts_per_tok, self.num_experts - self.num_experts_per_tok
        _require(
            self.num_text_experts is None or least <= self.num_text_experts <= most,
            f"num_text_experts must leave num_experts_per_tok={least} experts to each modality",
            f"{self.num_text_experts} of {self.num_experts}",
            f"choose from {least} to {most}" if least <= most else "choose fewer experts a token",
        )

    def _validate_block(self) -> None:
        block = self.ffn_block_size
        _require(
            block is None or (block >= 1 and self.intermediate_size % block == 0),
            f"ffn_block_size must divide intermediate_size={self.intermediate_size}",
            block,
            "choose a divisor, or None for one block",
        )

    @property
    def num_loss_bins(self) -> int:
        """Count the bins that the specialization loss sees."""
        return self.num_experts if self.binning == "none" else self.num_bins

    @property
    def num_balance_bins(self) -> int:
        """Count the bins within which load is balanced."""
        return 1 if self.load_balance == "plain" or self.binning == "none" else self.num_bins

    @property
    def num_ffn_blocks(self) -> int:
        """Count the blocks of the feed-forward storage: experts of an MoE, blocks of gate and up rows otherwise."""
        return self.num_experts or self.intermediate_size // self.ffn_block_width

    @property
    def ffn_block_width(self) -> int:
        """Return the width of one block of the feed-forward storage."""
        return self.moe_intermediate_size if self.num_experts else self.ffn_block_size or self.intermediate_size


class MoEVLMConfig(PreTrainedConfig):
    """Describe the whole model: LLaVA's composition of vision tower, two-layer projector and decoder.

    Args:
        vision_config: CLIP vision tower.
        text_config: Decoder.
        image_token_id: Token that stands where an image feature goes.
        projector_hidden_act: Activation between the projector's two layers.
        multimodal_projector_bias: Whether these layers add a bias.
        vision_feature_layer: Hidden state of the tower that is projected; negative counts from the end.
        vision_feature_select_strategy: "default" drops the class token's feature, "full" keeps it.
        image_grid_pinpoints: None = fixed scheme, one tile an image; a list of (height, width) in pixels = anyres.

    Raises:
        ValueError: The image token is outside the vocabulary, or a choice a field is misspelled or another model's.
    """

    model_type = "moevlm"
    sub_configs: ClassVar[dict[str, Any]] = {"vision_config": CLIPVisionConfig, "text_config": MoEVLMTextConfig}

    # A dict or None becomes a configuration in __post_init__, so readers see one type.
    vision_config: CLIPVisionConfig = None  # type: ignore[assignment]
    text_config: MoEVLMTextConfig = None  # type: ignore[assignment]
    image_token_id: int = 32000
    projector_hidden_act: str = "gelu"
    multimodal_projector_bias: bool = True
    vision_feature_layer: int = -2
    vision_feature_select_strategy: str = "default"
    image_grid_pinpoints: list[list[int]] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Build the parts from dicts and check that they fit each other."""
        _check_fields(self, kwargs, LlavaNextConfig)
        for name, config_class in self.sub_configs.items():
            part = getattr(self, name)
            if not isinstance(part, config_class):
                setattr(self, name, config_class(**(part or {})))
        _require(
            0 <= self.image_token_id < self.text_config.vocab_size,
            f"image_token_id must be in [0, vocab_size={self.text_config.vocab_size})",
            self.image_token_id,
            "choose a token of the vocabulary",
        )
        _require(
            self.vision_feature_select_strategy in FEATURE_STRATEGIES,
            f"vision_feature_select_strategy must be one of {', '.join(FEATURE_STRATEGIES)}",
            repr(self.vision_feature_select_strategy),
            "choose one of them",
        )
        _require(
            self.image_grid_pinpoints is None or len(self.image_grid_pinpoints) > 0,
            "image_grid_pinpoints must be None (fixed scheme) or name at least one (height, width)",
            self.image_grid_pinpoints,
            "use None",
        )
        super().__post_init__(**kwargs)

    @property
    def visual(self) -> str:
        """Name the visual scheme: fixed or anyres."""
        return "fixed" if self.image_grid_pinpoints is None else "anyres"

    @property
    def image_seq_length(self) -> int:
        """Count the features, hence tokens, of one tile."""
        # CLIP's annotation allows pairs too; its square form is the one its own embedding computes with.
        patches_a_side: int = self.vision_config.image_size // self.vision_config.patch_size  # type: ignore[operator]
        return patches_a_side**2 + (self.vision_feature_select_strategy == "full")

    @property
    def tie_word_embeddings(self) -> bool:
        """Tell whether the output head is the embedding: the decoder's choice."""
        return self.text_config.tie_word_embeddings
