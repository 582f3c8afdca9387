"""Arguments by either name of the cache, and none swallowed: by every forward, by generate() and by prefill."""

import pytest
import torch
from transformers import DynamicCache

from moevlm import MoEVLM, MoEVLMConfig, prefill
from moevlm.compat import CACHE, ENCODES_IMAGES_FIRST, one_cache, taken
from tests.moevlm.model.transformers_twin import twin_of

PIXELS = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model(make_model):
    return make_model()


@pytest.fixture
def inputs(make_prompt):
    ids_BS = make_prompt(2, 16, image_tokens=4)
    return {"input_ids": ids_BS, "attention_mask": torch.ones_like(ids_BS), "pixel_values": PIXELS}


CALLS = {
    "the whole model": lambda model, inputs, more: model(**inputs, **more),
    "its inner model": lambda model, inputs, more: model.model(**inputs, **more),
    "the decoder": lambda model, inputs, more: model.model.language_model(inputs["input_ids"], **more),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["atention_mask", "past_key_value", "cache_position", "token_type_ids"])
def test_an_unknown_argument_is_an_error_that_names_it_and_the_known_ones(model, inputs, call, name):
    with pytest.raises(TypeError, match=f"attention_mask, .*output_hidden_states.*got {name};"):
        CALLS[call](model, inputs, {name: torch.ones(1)})


def test_the_decoder_alone_takes_nothing_of_the_head(model, inputs):
    for name in ("labels", "logits_to_keep"):
        with pytest.raises(TypeError, match=f"got {name};"):
            model.model.language_model(inputs["input_ids"], **{name: inputs["input_ids"]})


def test_images_take_no_unknown_argument(model):
    with pytest.raises(TypeError, match=r"vision_feature_layer.*got vision_feature_layr;"):
        model.model.get_image_features(PIXELS, vision_feature_layr=-1)


@pytest.mark.parametrize("name", ["atention_mask", "max_new_token"])
def test_generate_refuses_a_misspelled_argument(model, inputs, name):
    with pytest.raises((TypeError, ValueError), match=name):
        model.generate(**inputs, **{name: 3}, do_sample=False)


@pytest.mark.parametrize("name", ["atention_mask", "labels", "pixel_value"])
def test_prefill_refuses_what_no_prompt_has(model, inputs, name):
    with pytest.raises(TypeError, match=f"may hold attention_mask, pixel_values, image_sizes, .*leave out {name}"):
        prefill(model, {**inputs, name: inputs["input_ids"]}, max_new_tokens=1)
    with pytest.raises(TypeError, match=r"must hold input_ids.*got nothing; add the tokens"):
        prefill(model, {}, max_new_tokens=1)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ["cache", "past_key_values"])
def test_a_cache_by_either_name_is_filled_and_read(model, inputs, call, name):
    whole, cache = CALLS[call](model, inputs, {})[0], DynamicCache(config=model.config.text_config)
    prompt = {name_: tensor[:, :-1] if name_ != "pixel_values" else tensor for name_, tensor in inputs.items()}
    CALLS[call](model, prompt, {name: cache})
    assert cache.get_seq_length() == 15
    mask = {} if call == "the decoder" else {"attention_mask": inputs["attention_mask"]}
    last = CALLS[call](model, {"input_ids": inputs["input_ids"][:, -1:]}, {name: cache, **mask})
    torch.testing.assert_close(last[0][:, -1], whole[:, -1], rtol=1e-5, atol=1e-5)
    assert last[CACHE] is cache


@pytest.mark.parametrize("call", CALLS)
def test_two_caches_are_refused(model, inputs, call):
    caches = {name: DynamicCache() for name in ("cache", "past_key_values")}
    with pytest.raises(ValueError, match="got cache and past_key_values"):
        CALLS[call](model, inputs, caches)


def test_a_cache_by_name_is_the_one_that_was_given():
    cache = DynamicCache()
    assert one_cache(cache, None) is cache is one_cache(None, cache)


def test_an_argument_that_this_transformers_lacks_must_be_none():
    def parent(known: int) -> None: ...

    assert taken(parent, known=3, unknown=None) == {"known": 3}
    with pytest.raises(ValueError, match="takes no unknown, got a value"):
        taken(parent, known=3, unknown=4)


def test_encoded_images_are_taken_in_place_of_pixels(model, inputs):
    if not ENCODES_IMAGES_FIRST:
        pytest.skip("transformers 5.17 knows no images encoded ahead")
    expected = model(**inputs).logits
    images = {"image": model.model.get_image_features(inputs.pop("pixel_values"))}
    assert torch.equal(model(**inputs, mm_encoder_outputs=images).logits, expected)


LLAVA_OPTIONS = {
    "labels": lambda inputs: {"labels": inputs["input_ids"]},
    "labels of a part of a batch": lambda inputs: {"labels": inputs["input_ids"], "num_items_in_batch": 7},
    "last logits": lambda _: {"logits_to_keep": 2},
    "chosen logits": lambda _: {"logits_to_keep": torch.tensor([3, 9])},
    "hidden states": lambda _: {"output_hidden_states": True},
    "attentions": lambda _: {"output_attentions": True},
    "no cache": lambda _: {"use_cache": False},
    "another layer of the tower": lambda _: {"vision_feature_layer": -1},
}


@pytest.mark.parametrize("option", LLAVA_OPTIONS)
def test_an_option_does_what_it_does_in_llava(model, inputs, option):
    theirs = twin_of(model)
    for each in (model, theirs):
        each.set_attn_implementation("eager")  # the only one that has attentions to return
    options = LLAVA_OPTIONS[option](inputs)
    ours, expected = model(**inputs, **options), theirs(**inputs, **options)
    for name in ("logits", "loss", "hidden_states", "attentions"):
        torch.testing.assert_close(ours.get(name), expected.get(name), rtol=1e-5, atol=1e-5)
    assert (ours.get(CACHE) is None) == (expected.get(CACHE) is None)


def test_no_dict_is_the_same_values_in_a_tuple(model, inputs):
    expected, found = model(**inputs), model(**inputs, return_dict=False)
    assert isinstance(found, tuple)
    assert torch.equal(found[0], expected.logits)


def test_router_logits_are_refused_of_the_whole_model_which_has_its_own_record(model, inputs):
    with pytest.raises(ValueError, match="output_routing=True"):
        model(**inputs, output_router_logits=True)
    assert len(model(**inputs, output_routing=True).routing) == 2


@pytest.mark.parametrize(
    ("part", "fields"),
    [("text_config", {"sliding_window": 8}), ("text_config", {"num_expert": 4}), ("text_config", {"layer_types": []}),
     (None, {"image_tokn_id": 3})],
)  # fmt: skip
def test_a_field_that_nothing_reads_is_refused(make_config, part, fields):
    given = make_config().to_dict()
    (given[part] if part else given).update(fields)
    with pytest.raises(ValueError, match=f"has the fields .*got {next(iter(fields))}; correct the name"):
        MoEVLMConfig(**given)


def test_a_field_that_other_libraries_keep_there_is_warned_of_and_kept(make_config, tmp_path):
    config = make_config()
    config.text_config.unsloth_version = "2026.1"
    config.save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="nothing reads unsloth_version"):
        assert MoEVLMConfig.from_pretrained(tmp_path).text_config.unsloth_version == "2026.1"


def test_a_familys_field_at_its_default_is_no_error(make_config):
    given = make_config().to_dict()
    given["text_config"] |= {"router_aux_loss_coef": 0.001, "output_router_logits": False, "decoder_sparse_step": 1}
    assert MoEVLMConfig(**given).text_config.num_experts == 8


def test_a_window_set_after_the_configuration_was_checked_is_refused(make_config):
    config = make_config()
    config.text_config.sliding_window = 8
    with pytest.raises(ValueError, match="sliding_window must be None"):
        MoEVLM(config)
