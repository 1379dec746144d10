"""Networks and data small enough that a training step takes a millisecond, with nothing random in them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.hooks import RemovableHandle

from vgen.augment.none import NoAugment
from vgen.clip import Clip, Judgement, Latent
from vgen.data.infinite import InfiniteBatches
from vgen.loss.nonsaturating import NonSaturating
from vgen.training.checkpoint import AtomicCheckpointIO
from vgen.training.video_gan import VideoGAN

FRAMES, SIZE = 4, 4


class ToyGenerator(nn.Module):
    classes = 0
    frames: int | None = None
    reads_times = False

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, FRAMES * SIZE * SIZE), nn.Tanh())

    def sample_latent(self, batch: int, times: Tensor, rng: torch.Generator) -> Latent:
        return {"z": torch.randn(batch, 3, generator=rng)}

    def check_times(self, times: Tensor) -> None:
        """Any."""

    def forward(self, latent: Latent, times: Tensor, label: Tensor | None = None) -> Tensor:
        return self.net(latent["z"]).view(-1, 1, FRAMES, SIZE, SIZE)


class ToyDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(FRAMES * SIZE * SIZE, 8), nn.Softplus(), nn.Linear(8, 1)
        )

    def forward(self, clip: Clip) -> Judgement:
        return Judgement({"video": self.net(clip.video)[:, 0]})


class ToyClips(Dataset):
    """Clip i of 64 is a ramp of brightness; deterministic."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __getitem__(self, draw: Any) -> dict[str, Tensor]:
        ramp = torch.arange(FRAMES * self.size * self.size).view(FRAMES, self.size, self.size, 1)
        return {"pixels": (ramp * (draw.video % 4)).to(torch.uint8), "times": torch.arange(FRAMES).float()}


class ToyData(LightningDataModule):
    def __init__(self, batch: int, rounds: int, size: int = SIZE) -> None:
        super().__init__()
        self.batch, self.rounds, self.size = batch, rounds, size

    def train_dataloader(self) -> DataLoader:
        trainer = self.trainer
        assert trainer is not None
        batches = InfiniteBatches(
            videos=64,
            batch=self.batch,
            rounds=self.rounds,
            seed=0,
            start=trainer.lightning_module.clips_seen,
            rank=trainer.global_rank,
            world=trainer.world_size,
        )
        return DataLoader(ToyClips(self.size), batch_sampler=batches)

    def describe(self) -> dict:
        return {"name": "toy"}


def toy_gan(*, lr: float = 1e-2, **changes: Any) -> VideoGAN:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {
        "generator": ToyGenerator(),
        "discriminator": ToyDiscriminator(),
        "loss": NonSaturating(),
        "augment": NoAugment(),
        "generator_optimizer": partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.9)),
        "discriminator_optimizer": partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.9)),
        "batch": 4,
        "log_every": 2,
    }
    return VideoGAN(**arguments | changes)


class EachStep(Callback):
    """Calls `look(trainer, module)` after each training step."""

    def __init__(self, look: Callable[[Trainer, VideoGAN], None]) -> None:
        self.look = look

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        self.look(trainer, pl_module)


class Gradients(Callback):
    """Which parameters each backward pass gives a finite gradient, and which ever got one other than 0."""

    def __init__(self, module: VideoGAN) -> None:
        self.passes: list[set[str]] = []
        self.moving: set[str] = set()
        self.trained: set[str] = set()
        self.hooks: list[RemovableHandle] = []
        for player in ("generator", "discriminator"):
            for name, parameter in getattr(module, player).named_parameters(player):
                if parameter.requires_grad:
                    self.trained.add(name)
                    self.hooks.append(parameter.register_post_accumulate_grad_hook(partial(self._note, name)))

    def _note(self, name: str, parameter: nn.Parameter) -> None:
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all(), name
        self.passes[-1].add(name)
        if parameter.grad.any():
            self.moving.add(name)

    def on_before_backward(self, *_: Any) -> None:
        self.passes.append(set())

    def on_fit_end(self, *_: Any) -> None:
        for hook in self.hooks:  # with them the networks would stay in memory, one more for each test
            hook.remove()

    def each_player_learns_alone(self) -> bool:
        return all(len({name.split(".")[0] for name in reached}) == 1 for reached in self.passes)


def toy_trainer(folder: Any, steps: int, **changes: Any) -> Trainer:
    arguments: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_steps": steps,
        "max_epochs": -1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "limit_val_batches": 0,
        "plugins": [AtomicCheckpointIO()],
        "default_root_dir": str(folder),
    }
    return Trainer(**arguments | changes)


def fit(
    module: VideoGAN, folder: Any, steps: int, checkpoint: Any = None, size: int = SIZE, **changes: Any
) -> VideoGAN:
    data = ToyData(module.batch, module.d_steps, size)
    toy_trainer(folder, steps, **changes).fit(module, datamodule=data, ckpt_path=checkpoint)
    return module
