"""Changes of the model that make it answer wrongly, as edits of its files, and the benchmarks that each touches."""

from dataclasses import dataclass
from pathlib import Path

PHASES = ("decode", "prefill", "generate")


@dataclass(frozen=True, kw_only=True)
class WrongChange:
    """An edit that must never be timed."""

    edits: tuple[tuple[str, str, str], ...]  # (file, text, its replacement)
    touches: tuple[str, ...] = PHASES  # benchmarks that run what was changed
    where: str = ""  # part of the ids of the scenarios that can see it

    def apply(self, root: Path) -> None:
        """Edit a copy of the project; a text that is not there once is an error."""
        for name, text, replacement in self.edits:
            path = root / name
            source = path.read_text()
            if source.count(text) != 1:
                raise ValueError(f"{name} must hold {text!r} once, got it {source.count(text)} times; mend the edit")
            path.write_text(source.replace(text, replacement))


MODELING, ATTENTION, FEEDFORWARD = (
    "moevlm/model/modeling.py",
    "moevlm/model/attention.py",
    "moevlm/model/feedforward.py",
)
TOP_K, EXPERTS_CALL = "self.norm_topk_prob = config.norm_topk_prob", "self.experts(hidden_TH, routing.ids_TK,"
LAYER_LOOP = (
    "            for layer in self.layers:\n"
    "                seen = layer(hidden_BSH, **layer_inputs, last_only=layer is short)"
)
EMBEDDED = "hidden_BSH = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds"
UPDATED = "            key, value = cache.update(key, value, self.layer_idx)"
AT_ONCE = "        memory = cache.layers[self.layer_idx] if self.layer_idx < len(cache.layers) else None"

WRONG_CHANGES = {
    "no renormalisation of the top k": WrongChange(
        edits=(("moevlm/routing/router.py", TOP_K, "self.norm_topk_prob = False"),),
    ),
    "two experts swapped": WrongChange(
        edits=((FEEDFORWARD, EXPERTS_CALL, "self.experts(hidden_TH, routing.ids_TK ^ (routing.ids_TK < 2).long(),"),),
    ),
    "image features rolled by one": WrongChange(
        edits=(
            (
                "moevlm/model/vision_language.py",
                "features = torch.cat(list(features)).to(embeds_BSH)",
                "features = torch.cat(list(features)).to(embeds_BSH).roll(1, dims=0)",
            ),
        ),
    ),
    "decode attends to its own token only": WrongChange(
        edits=(
            (ATTENTION, AT_ONCE, "        memory = None"),
            (
                ATTENTION,
                UPDATED,
                UPDATED
                + "\n            if query.shape[2] == 1:"
                + "\n                key, value, attention_mask = key[:, :, -1:], value[:, :, -1:], None",
            ),
        ),
        touches=("decode", "generate"),
    ),
    "last layer skipped in decode": WrongChange(
        edits=(
            (
                MODELING,
                LAYER_LOOP,
                LAYER_LOOP.replace("self.layers:", "self.layers[: -1 if hidden_BSH.shape[1] == 1 else None]:"),
            ),
        ),
        touches=("decode", "generate"),
    ),
    "decode positions off by one": WrongChange(
        edits=(
            ("moevlm/generation/decode.py", "fused.begin(state.position_B1, ", "fused.begin(state.position_B1 + 1, "),
            ("moevlm/generation/decode.py", "state.position_B1 + number", "state.position_B1 + number + 1"),
        ),
        touches=("decode", "generate"),
    ),
    "long prompts corrupted after position 200": WrongChange(
        edits=(
            (
                MODELING,
                EMBEDDED,
                EMBEDDED
                + "\n        if hidden_BSH.shape[1] > 200:"
                + "\n            moved = hidden_BSH[:, 200:].roll(1, dims=1)"
                + "\n            hidden_BSH = torch.cat([hidden_BSH[:, :200], moved], dim=1)",
            ),
        ),
        touches=("decode", "prefill"),  # the natural prompts of bench_generate are shorter
        where="s256",
    ),
    "one expert dropped in dispatch": WrongChange(
        edits=(
            (
                FEEDFORWARD,
                EXPERTS_CALL + " routing.weights_TK)",
                EXPERTS_CALL + " routing.weights_TK * (routing.ids_TK != 3))",
            ),
        ),
    ),
    "wrong above batch 1": WrongChange(
        edits=(
            (
                "moevlm/model/decoder_layer.py",
                "        hidden_BSH = hidden_BSH + attended\n",
                "        hidden_BSH = hidden_BSH + attended * (1.1 if len(attended) > 1 else 1.0)\n",
            ),
        ),
        where="b2",
    ),
    "generate() ignores its cache": WrongChange(
        edits=(
            (
                "moevlm/model/vision_language.py",
                "            logits_to_keep=logits_to_keep,\n            **{CACHE: one_cache(cache, past_key_values)},",
                "            logits_to_keep=logits_to_keep,\n            **{CACHE: None},",
            ),
        ),
        touches=("generate",),
    ),
}
