"""A generator that its run reparametrised comes back from a checkpoint and from exported weights as it was."""

from pathlib import Path

import torch
from commands import TINY, vgen

from vgen.cli.load import load_trained
from vgen.clip import regular_times


def test_a_spectrally_normalised_generator_is_sampled_as_it_was_trained(tmp_path: Path) -> None:
    run = tmp_path / "run"
    few = ["callback=[checkpoint,export]", "logger=none", "regularizer=[spectral_norm_both,lecam]"]
    vgen("train", *TINY, *few, "clip.frames=4", f"output={run}")
    files = [run / "checkpoints" / name for name in ("last.ckpt", "generator_ema.safetensors")]
    clips = []
    for file in files:
        trained = load_trained(str(file), torch.device("cpu"))
        times = regular_times(2, 4)
        latent = trained.contract.sample_latent(2, times, torch.Generator().manual_seed(0))
        clips.append(trained.generator(latent, times))
        assert any("parametrizations" in name for name in trained.generator.state_dict())
    assert torch.equal(*clips)
