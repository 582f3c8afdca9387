"""The whole model: LLaVA-NeXT's vision wrapper around the decoder, with its output head.

transformers decides by the text of a model class's file whether its expert backend may be set: it looks for
@use_experts_implementation, which marks the experts in moevlm/feedforward.py.

Shapes: B samples, S positions, H hidden size.
"""

# transformers' methods and decorators carry no annotations.
# mypy: allow-untyped-calls, allow-untyped-decorators

from typing import Any

import torch
from transformers import Cache, PreTrainedModel
from transformers.models.llava.modeling_llava import LlavaModel
from transformers.models.llava_next.modeling_llava_next import LlavaNextForConditionalGeneration, LlavaNextModel
from transformers.utils.generic import can_return_tuple

from moevlm.config import MoEVLMConfig
from moevlm.objective import MoEVLMOutput, routing_losses, with_routing
from moevlm.observation import LayerRouting
from moevlm.projections import Projection


class MoEVLMModel(LlavaNextModel):
    """Vision tower, projector and decoder: LLaVA's fixed scheme (one tile an image) or LLaVA-NeXT's anyres."""

    config: MoEVLMConfig  # type: ignore[assignment]  # has the fields of LlavaNextConfig that the parent reads

    def get_image_features(
        self, pixel_values: torch.Tensor, image_sizes: torch.Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Encode and project images; `pooler_output` lists each image's features (tokens, H).

        Args:
            pixel_values: Fixed: (images, 3, height, width); anyres: (images, tiles, 3, height, width).
            image_sizes: Anyres: (images, 2), height and width in pixels before tiling; fixed: None.
            kwargs: Options of LLaVA's method of the same name.
        """
        if image_sizes is None:
            if pixel_values.dim() != 4:
                raise ValueError(
                    "pixel_values must be (images, 3, height, width) without image_sizes, "
                    f"got {tuple(pixel_values.shape)}; pass image_sizes with tiled images"
                )
            return LlavaModel.get_image_features(self, pixel_values, **kwargs)
        if self.config.image_grid_pinpoints is None:
            raise ValueError(
                "image_sizes must be None in the fixed scheme (image_grid_pinpoints=None), "
                f"got {len(image_sizes)}; leave them out or set image_grid_pinpoints"
            )
        return super().get_image_features(pixel_values, image_sizes, **kwargs)

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
        num_tokens = int(mask_BS.sum())
        if num_tokens != len(image_features):
            raise ValueError(
                f"the prompt must hold one image token (id {self.config.image_token_id}) for each image feature, "
                f"got {num_tokens} tokens and {len(image_features)} features; "
                "build the inputs with this model's processor, or pass as many images as the prompt names"
            )
        return mask_BS[..., None]

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
        features = self.get_image_features(pixel_values, image_sizes, return_dict=True).pooler_output
        features = torch.cat(list(features)).to(embeds_BSH)
        return embeds_BSH.masked_scatter(self.get_placeholder_mask(input_ids, embeds_BSH, features), features)

    def forward(
        self, input_ids: torch.Tensor | None = None, pixel_values: torch.Tensor | None = None, **kwargs: Any
    ) -> Any:
        """Return the decoder's last hidden states; arguments as `MoEVLMForConditionalGeneration.forward`."""
        # generate() of newer transformers encodes the images first and passes their features instead.
        has_images = pixel_values is not None or bool(kwargs.get("mm_encoder_outputs"))
        reads_modality = self.language_model.reads_modality or kwargs.get("routing_record") is not None
        if reads_modality and kwargs.get("vision_mask_BS") is None:
            if input_ids is None:
                raise ValueError(
                    "routing or its record depends on which tokens are image features, got inputs_embeds without "
                    "vision_mask_BS; pass it (True for image features), or pass input_ids"
                )
            kwargs["vision_mask_BS"] = input_ids == self.config.image_token_id if has_images else None
        return super().forward(input_ids, pixel_values, **kwargs)


class MoEVLMForConditionalGeneration(LlavaNextForConditionalGeneration):
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
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        output_routing: bool = False,
        routing_record: list[LayerRouting] | None = None,
        **kwargs: Any,
    ) -> MoEVLMOutput:
        """Run the model: LLaVA-NeXT's forward, and SMoES' record and losses.

        Args:
            input_ids: Tokens (B, S), int64, with the image token where an image feature goes.
            pixel_values: As `MoEVLMModel.get_image_features` takes them.
            image_sizes: The same.
            attention_mask: 1 for a token, 0 for padding, (B, cached + S).
            position_ids: Positions (B, S), int64.
            past_key_values: Cache to extend.
            inputs_embeds: Embeddings in place of tokens (B, S, H).
            labels: Tokens to predict, (B, S), int64; -100 = not scored. In training an MoE adds its routing losses.
            use_cache: Whether to make a cache where none is given.
            logits_to_keep: Last positions that get logits; 0 = all.
            output_routing: Whether to return each layer's routing and modality scores, and the losses of them.
            routing_record: Takes the same record, a layer an entry.
            kwargs: Further options of the parent's forward; `vision_mask_BS` (B, S), True for image features, is needed
                with inputs_embeds where routing depends on them.

        Raises:
            ValueError: Routing is asked of a dense model, or inputs_embeds come without a needed vision_mask_BS.
        """
        text_config = self.config.text_config
        has_losses = output_routing or (self.training and labels is not None and text_config.num_experts > 0)
        record: list[LayerRouting] | None = [] if has_losses or routing_record is not None else None
        output = super().forward(
            input_ids,
            pixel_values,
            image_sizes,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            routing_record=record,
            return_dict=True,
            **kwargs,
        )
        if routing_record is not None:
            routing_record.extend(record or ())
        if record is None or not has_losses:
            return MoEVLMOutput(**output, task_loss=output.loss)
        losses = routing_losses(record, [layer.mlp.bins for layer in self.model.language_model.layers], text_config)
        return with_routing(output, record, losses, text_config, is_training=self.training)


MoEVLM = MoEVLMForConditionalGeneration
