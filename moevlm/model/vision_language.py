"""The whole model: LLaVA-NeXT's vision wrapper around the decoder, with its output head.

Shapes: B samples, S positions, H hidden size.
"""

# transformers' methods and decorators carry no annotations.
# mypy: allow-untyped-calls, allow-untyped-decorators

from collections.abc import Mapping
from typing import Any

import torch
from transformers import Cache, PreTrainedModel
from transformers.models.llava.modeling_llava import LlavaModel
from transformers.models.llava_next.modeling_llava_next import LlavaNextForConditionalGeneration, LlavaNextModel
from transformers.utils.generic import can_return_tuple
from transformers.utils.import_utils import torch_compilable_check

from moevlm.compat import CACHE, ENCODES_IMAGES_FIRST, check_arguments, one_cache, taken
from moevlm.config import MoEVLMConfig
from moevlm.kernels.best_backend import BestExperts
from moevlm.kernels.projections import Projection
from moevlm.model.early_number import EarlyNumber
from moevlm.routing.observation import LayerRouting
from moevlm.smoes.objective import MoEVLMOutput, routing_losses, with_routing


class MoEVLMModel(BestExperts, LlavaNextModel):
    """Vision tower, projector and decoder: LLaVA's fixed scheme (one tile an image) or LLaVA-NeXT's anyres."""

    config: MoEVLMConfig  # type: ignore[assignment]  # has the fields of LlavaNextConfig that the parent reads

    def get_image_features(
        self,
        pixel_values: torch.Tensor,
        image_sizes: torch.Tensor | None = None,
        vision_feature_layer: int | list[int] | None = None,
        vision_feature_select_strategy: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Encode and project images; `pooler_output` lists each image's features (tokens, H).

        Args:
            pixel_values: Fixed: (images, 3, height, width); anyres: (images, tiles, 3, height, width).
            image_sizes: Anyres: (images, 2), height and width in pixels before tiling; fixed: None.
            vision_feature_layer: In place of the configuration's.
            vision_feature_select_strategy: The same.
            kwargs: transformers' options of any model.

        Raises:
            TypeError: An argument is unknown.
            ValueError: The tensors are not of the configured scheme.
        """
        check_arguments(type(self).get_image_features, kwargs)
        chosen = {"vision_feature_layer": vision_feature_layer,
                  "vision_feature_select_strategy": vision_feature_select_strategy}  # fmt: skip
        if pixel_values is None:
            raise ValueError("pixel_values must hold images, got None; leave it out of a request without any")
        if image_sizes is None:
            if pixel_values.dim() != 4:
                raise ValueError(
                    "pixel_values must be (images, 3, height, width) without image_sizes, "
                    f"got {tuple(pixel_values.shape)}; pass image_sizes with tiled images"
                )
            return LlavaModel.get_image_features(self, pixel_values, **chosen, **kwargs)
        if self.config.image_grid_pinpoints is None:
            raise ValueError(
                "image_sizes must be None in the fixed scheme (image_grid_pinpoints=None), "
                f"got {len(image_sizes)}; leave them out or set image_grid_pinpoints"
            )
        return super().get_image_features(pixel_values, image_sizes, **chosen, **kwargs)

    def get_placeholder_mask(
        self,
        input_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor,  # noqa: ARG002  # the parent's signature
        image_features: torch.Tensor,
    ) -> torch.Tensor:
        """Return where image features go, (B, S, 1), after checking that there is one image token for each."""
        if input_ids is None:
            raise ValueError("images need input_ids, got inputs_embeds; give the tokens")
        mask_BS = input_ids == self.config.image_token_id
        self._check_count(mask_BS.sum(), len(image_features))
        return mask_BS[..., None]

    def _check_count(self, num_tokens: torch.Tensor, num_features: int) -> None:
        torch_compilable_check(
            num_tokens == num_features,
            lambda: (
                f"the prompt must hold one image token (id {self.config.image_token_id}) for each image feature, "
                f"got {int(num_tokens)} tokens and {num_features} features; "
                "build the inputs with this model's processor, or pass as many images as the prompt names"
            ),
        )

    def embed(
        self,
        input_ids: torch.Tensor,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Look tokens up and put image features in the image tokens' places: what the decoder reads, (B, S, H).

        Args:
            input_ids: Tokens (B, S), int64.
            pixel_values: As `get_image_features` takes them; None = no images.
            image_sizes: The same.

        Raises:
            ValueError: Image tokens and image features differ in number.
        """
        embeds_BSH: torch.Tensor = self.get_input_embeddings()(input_ids)
        if pixel_values is None:
            return embeds_BSH
        mask_BS = input_ids == self.config.image_token_id
        num_tokens = EarlyNumber(mask_BS.sum())  # on its way before the tower, which nobody waits for then
        features = self.get_image_features(pixel_values, image_sizes, return_dict=True).pooler_output
        features = torch.cat(list(features)).to(embeds_BSH)
        self._check_count(num_tokens.read(), len(features))
        return embeds_BSH.masked_scatter(mask_BS[..., None], features)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        vision_feature_layer: int | list[int] | None = None,
        vision_feature_select_strategy: str | None = None,
        use_cache: bool | None = None,
        mm_encoder_outputs: Mapping[str, Any] | None = None,
        vision_mask_BS: torch.Tensor | None = None,
        routing_record: list[LayerRouting] | None = None,
        past_key_values: Cache | None = None,
        last_only: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the decoder's last hidden states; arguments as `MoEVLMForConditionalGeneration.forward`.

        `last_only` is the decoder's: whether the caller reads the last position alone.
        """
        check_arguments(type(self).forward, kwargs)
        if kwargs.get("output_router_logits"):
            raise ValueError(
                "output_router_logits must be False, for LLaVA's output has no place for them, got True; "
                "ask the whole model for output_routing=True, or `language_model` for them"
            )
        reads_modality = self.language_model.reads_modality or routing_record is not None
        if reads_modality and vision_mask_BS is None:
            has_images = pixel_values is not None or bool(mm_encoder_outputs)
            vision_mask_BS = self._vision_mask(input_ids) if has_images or input_ids is None else None
        return super().forward(
            input_ids,
            pixel_values,
            image_sizes=image_sizes,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            vision_feature_layer=vision_feature_layer,
            vision_feature_select_strategy=vision_feature_select_strategy,
            **{CACHE: one_cache(cache, past_key_values)},
            **taken(LlavaNextModel.forward, mm_encoder_outputs=mm_encoder_outputs),
            **_given(use_cache=use_cache, vision_mask_BS=vision_mask_BS, routing_record=routing_record),
            **({"last_only": True} if last_only else {}),
            **kwargs,
        )

    def _vision_mask(self, input_ids: torch.Tensor | None) -> torch.Tensor:
        if input_ids is None:
            raise ValueError(
                "routing or its record depends on which tokens are image features, got inputs_embeds without "
                "vision_mask_BS; pass it (True for image features), or pass input_ids"
            )
        return input_ids == self.config.image_token_id


class MoEVLMForConditionalGeneration(BestExperts, LlavaNextForConditionalGeneration):
    """The whole model with its output head."""

    config: MoEVLMConfig  # type: ignore[assignment]  # has the fields of LlavaNextConfig that the parent reads

    def __init__(self, config: MoEVLMConfig) -> None:
        PreTrainedModel.__init__(self, config)  # the parent's would build LLaVA-NeXT's inner model
        self.model = MoEVLMModel(config)  # type: ignore[arg-type]  # the inherited signature
        self.lm_head = Projection(config.text_config.hidden_size, config.text_config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        image_sizes: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        vision_feature_layer: int | list[int] | None = None,
        vision_feature_select_strategy: str | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        mm_encoder_outputs: Mapping[str, Any] | None = None,
        output_routing: bool = False,
        vision_mask_BS: torch.Tensor | None = None,
        routing_record: list[LayerRouting] | None = None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> MoEVLMOutput:
        """Run the model: LLaVA-NeXT's forward, and SMoES' record and losses.

        Args:
            input_ids: Tokens (B, S), int64, with the image token where an image feature goes.
            pixel_values: As `MoEVLMModel.get_image_features` takes them.
            image_sizes: The same.
            attention_mask: 1 for a token, 0 for padding, (B, cached + S).
            position_ids: Positions (B, S), int64.
            cache: Cache to extend.
            inputs_embeds: Embeddings in place of tokens (B, S, H).
            vision_feature_layer: In place of the configuration's.
            vision_feature_select_strategy: The same.
            labels: Tokens to predict, (B, S), int64; -100 = not scored. In training an MoE adds its routing losses.
            use_cache: Whether to make a cache where none is given.
            logits_to_keep: Last positions that get logits; 0 = all.
            mm_encoder_outputs: What `get_image_features` returned, under "image", in place of pixel_values: so
                generate() hands images on.
            output_routing: Whether to return each layer's routing and modality scores, and the losses of them.
            vision_mask_BS: True for image features, (B, S); needed with inputs_embeds where routing depends on them.
            routing_record: Takes the same record, a layer an entry.
            past_key_values: The cache, as transformers called it before 5.24.
            kwargs: transformers' options of any model: what to return beside, and facts of the batch.

        Raises:
            TypeError: An argument is unknown.
            ValueError: Routing is asked of a dense model, inputs_embeds come without a needed vision_mask_BS, or an
                argument cannot be served.
        """
        check_arguments(type(self).forward, kwargs)
        text_config = self.config.text_config
        has_losses = output_routing or (self.training and labels is not None and text_config.num_experts > 0)
        record: list[LayerRouting] | None = [] if has_losses or routing_record is not None else None
        output = super().forward(
            input_ids,
            pixel_values,
            image_sizes,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            vision_feature_layer=vision_feature_layer,
            vision_feature_select_strategy=vision_feature_select_strategy,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **{CACHE: one_cache(cache, past_key_values)},
            **taken(LlavaNextForConditionalGeneration.forward, mm_encoder_outputs=mm_encoder_outputs),
            **_given(vision_mask_BS=vision_mask_BS, routing_record=record),
            **({"last_only": True} if labels is None and _is_one(logits_to_keep) else {}),
            **{**kwargs, "return_dict": True},
        )
        if routing_record is not None:
            routing_record.extend(record or ())
        if record is None or not has_losses:
            return MoEVLMOutput(**output, task_loss=output.loss)
        losses = routing_losses(record, [layer.mlp.bins for layer in self.model.language_model.layers], text_config)
        return with_routing(output, record, losses, text_config, is_training=self.training)

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Any = None,
        **model_kwargs: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Repeat samples for beams or several answers; refuse where this transformers would mix their images up."""
        pixels = model_kwargs.get("pixel_values")
        if expand_size > 1 and pixels is not None and not ENCODES_IMAGES_FIRST:
            has_image_B = (input_ids == self.config.image_token_id).any(dim=1)
            if len(pixels) != len(has_image_B) or not bool(has_image_B.all()):
                raise ValueError(
                    "beams and several answers need one image a sample in transformers 5.17, which repeats image by "
                    f"image, got {len(pixels)} images for {len(has_image_B)} samples; install 5.18 or later"
                )
        return super()._expand_inputs_for_generation(  # type: ignore[misc]  # a mixin of any model with generate()
            expand_size, is_encoder_decoder, input_ids, **model_kwargs
        )


def _given(**optional: object) -> dict[str, Any]:
    """Leave out what is None: transformers hands the rest on to parts that have no such argument."""
    return {name: value for name, value in optional.items() if value is not None}


def _is_one(logits_to_keep: int | torch.Tensor) -> bool:
    return isinstance(logits_to_keep, int) and logits_to_keep == 1


MoEVLM = MoEVLMForConditionalGeneration
