"""vgen project: a video -> the codes of a trained generator that make it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from vgen.cli.asked import sample_labels, sample_times
from vgen.cli.errors import telling
from vgen.cli.load import Trained, load_trained, pick_device
from vgen.clip import GIVEN, from_pixels, given_frames, small_size, style_shape
from vgen.config import CONF_DIR, ConfigError, plain, type_problem
from vgen.data.one_video import read_one_video
from vgen.files import replacing
from vgen.media import tile, write_mp4, write_png
from vgen.protocol.store import weights_hash
from vgen.training.projection import Perceptual, Projection, Search, psnr
from vgen.training.stored_codes import Codes, save_codes

SPACES = ("auto", "z", "w", "w+")
_KINDS = {
    "start": int, "steps": int, "lr": float, "starts": int, "noise": float, "mean_samples": int, "seed": int,
    "save_every": int, "fps": float, "frames": int | None, "stride": float | None,
    "stored_fps": float | None, "label": int | None,
}  # fmt: skip


@hydra.main(config_path=str(CONF_DIR), config_name="project", version_base="1.3")
def application(config: DictConfig) -> None:
    with telling("project"):
        project(config)


def project(config: DictConfig) -> None:
    """Look for the codes that `config` asks for, and write them with what they make."""
    _check(config)
    video = Path(config.video).expanduser()  # both that must be given, before anything is loaded
    trained = load_trained(config.checkpoint, pick_device(config.device))
    if small_size(trained.generator):
        raise ConfigError(
            f"checkpoint={config.checkpoint}: this generator enlarges clips; give the one that makes them"
        )
    pixels, times = _target(trained, config)
    folder = _folder(trained, config, video)
    if folder.exists() and not folder.is_dir():  # else found out when the first state is written
        raise ConfigError(f"output={config.output}: {folder} is a file; give a folder")
    label = None if config.label is None else sample_labels(trained, 1, config.label)
    features = _features(config, trained)
    identity = _identity(trained, config, pixels, times, perceptual=features is not None)
    print(f"{video}: {len(pixels)} frames of {pixels.shape[2]}x{pixels.shape[1]}, into {folder}")
    given = given_frames(trained.generator)
    try:
        found = Projection(
            trained.generator,
            pixels,
            times,
            search=_search(trained, config),
            seed=config.seed,
            label=None if label is None else int(label[0]),
            fixed={GIVEN: from_pixels(pixels[None, :given])} if given else None,
            features=features,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    begun = float(psnr(found.clip(), pixels).mean())
    state = folder / "state.pt"
    _continue(found, state, identity)
    _run(found, config, state, identity)
    _write(found, folder, trained, config, identity, begun)


def _check(config: DictConfig) -> None:
    for key, kind in _KINDS.items():
        problem = type_problem(kind, config[key])
        if problem:
            raise ConfigError(f"{key}={config[key]}: {problem}")
    for key, value in {f"terms.{k}": config.terms[k] for k in config.terms}.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ConfigError(f"{key}={value}: must be a number of at least 0")
    for key in ("steps", "starts", "mean_samples", "save_every"):
        if config[key] < 1:
            raise ConfigError(f"{key}={config[key]}: must be at least 1")
    for key, least in (("start", 0), ("noise", 0)):
        if config[key] < least:
            raise ConfigError(f"{key}={config[key]}: must be at least {least}")
    for key in ("lr", "fps", "stored_fps"):
        if config[key] is not None and not config[key] > 0:
            raise ConfigError(f"{key}={config[key]}: must be above 0")
    if config.space not in SPACES:
        raise ConfigError(f"space={config.space}: choose {', '.join(SPACES)}")
    if config.perceptual not in (True, False, "auto"):
        raise ConfigError(f"perceptual={config.perceptual}: choose true, false or auto")


def _target(trained: Trained, config: DictConfig) -> tuple[Tensor, Tensor]:
    """The frames (T, H, W, C) uint8 to be made, and their times (T,)."""
    clip, data = trained.config.clip, trained.config.data
    fit = {key: data[key] for key in ("resize", "resample") if key in data}
    try:
        frames = read_one_video(
            config.video, size=clip.size, channels=clip.channels, fps=clip.get("fps"), **fit,
            stored_fps=config.stored_fps,
        )  # fmt: skip
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"video={config.video}: {error}") from error
    stride = clip.stride if config.stride is None else config.stride
    if not stride >= 1 or stride % 1:
        raise ConfigError(
            f"stride={stride}: frames of a video lie a whole number of frames apart, at least 1"
        )
    stride = int(stride)
    there = max(0, -(-(len(frames) - config.start) // stride))
    wanted = sample_times(trained, config.frames, config.stride)
    if there < len(wanted):
        if config.frames is not None or trained.contract.frames is not None or there < 1:
            fixed = "this generator makes" if trained.contract.frames else "are wanted"
            raise ConfigError(
                f"video={config.video}: {len(frames)} frames, of which {there} are left from start={config.start} at "
                f"stride {stride}, but {len(wanted)} {fixed}"
                + ("" if trained.contract.frames else f"; set frames={max(there, 1)}")
            )
        wanted = sample_times(trained, there, config.stride)
    chosen = frames[config.start :: stride][: len(wanted)]
    return torch.from_numpy(np.ascontiguousarray(chosen)), wanted


def _search(trained: Trained, config: DictConfig) -> Search:
    auto = "w+" if style_shape(trained.generator) is not None else "z"
    return Search(
        steps=config.steps,
        lr=config.lr,
        space=auto if config.space == "auto" else config.space,
        noise=config.noise,
        starts=config.starts,
        mean_samples=config.mean_samples,
        **plain(config.terms),
    )


def _features(config: DictConfig, trained: Trained) -> Perceptual | None:
    """LPIPS features of frames, of any size from 32 pixels on; None without weights."""
    if config.perceptual is False or config.terms.perceptual == 0:
        return None
    from vgen.extractor.perceptual import Perceptual as Network  # here, since it brings torchmetrics

    fetch = config.perceptual is True and config.weights.download
    size = max(32, min(int(trained.config.clip.size), 128))
    try:
        network = Network(weights_dir=config.weights.dir, download=fetch, size=size)
    except FileNotFoundError as error:
        if config.perceptual is True:
            raise ConfigError(f"perceptual=true: {error}") from error
        print(
            "No weights of the perceptual distance are there: pixels alone count (perceptual=true says which)."
        )
        return None
    network = network.eval().to(next(trained.generator.parameters()).device)

    def features(frames: Tensor) -> Tensor:
        if frames.shape[1] == 1:
            frames = frames.expand(-1, 3, -1, -1)
        if frames.shape[-1] != size:
            frames = torch.nn.functional.interpolate(
                frames, (size, size), mode="bilinear", align_corners=False, antialias=True
            )
        return network.embed(frames)

    return features


def _identity(
    trained: Trained, config: DictConfig, pixels: Tensor, times: Tensor, *, perceptual: bool
) -> dict[str, Any]:
    """What the codes depend on, by which a state on the disk is known to belong to this search."""
    ignored = ("output", "save_every", "fps", "device", "hydra", "video", "checkpoint", "weights")
    return {
        "settings": {str(key): value for key, value in plain(config).items() if key not in ignored},
        "weights": weights_hash(trained.generator.state_dict()),
        "frames": hashlib.sha256(pixels.numpy().tobytes()).hexdigest()[:16],
        "times": times.tolist(),
        "perceptual": perceptual,  # perceptual=auto follows the weights that are there
    }


def _folder(trained: Trained, config: DictConfig, video: Path) -> Path:
    if config.output:
        return Path(config.output).absolute()
    beside = trained.run or trained.file.parent
    folder = beside / "projections" / f"{video.stem}_seed{config.seed}"
    told = folder / "projection.json"
    if told.is_file():
        earlier = json.loads(told.read_text()).get("video")
        if earlier != str(video.absolute()):
            raise ConfigError(
                f"video={config.video}: {folder} holds the codes of {earlier}; give another output="
            )
    return folder


def _continue(found: Projection, state: Path, identity: dict[str, Any]) -> None:
    """Go on from the state on the disk if it is of this search; another one's is told, and begun anew."""
    if not state.is_file():
        return
    try:
        kept = torch.load(state, map_location="cpu", weights_only=True)
        if kept["identity"] != json.dumps(identity):
            print(f"{state} is of another video, checkpoint or setting: the search begins anew.")
            return
        found.load_state_dict(kept["search"])
    except Exception as error:  # a damaged file; torch raises of many kinds
        print(f"{state} cannot be read ({str(error).splitlines()[0][:100]}): the search begins anew.")
        return
    print(f"going on from step {found.step}")


def _run(found: Projection, config: DictConfig, state: Path, identity: dict[str, Any]) -> None:
    bar = tqdm(total=config.steps, initial=found.step, desc="Projecting", unit="step", disable=None)
    while found.step < config.steps:
        loss = found.advance()
        bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
        bar.update()
        if found.step % config.save_every == 0 or found.step == config.steps:
            with replacing(state) as partial:
                torch.save({"identity": json.dumps(identity), "search": found.state_dict()}, partial)
    bar.close()


def _write(
    found: Projection,
    folder: Path,
    trained: Trained,
    config: DictConfig,
    identity: dict[str, Any],
    begun: float,
) -> None:
    made = found.clip()
    per_frame = psnr(made, found.pixels)
    mean = float(per_frame.mean())
    result = {
        "psnr": round(mean, 4),
        "psnr_per_frame": [round(float(value), 4) for value in per_frame],
        "psnr_of_the_start": round(begun, 4),
        "label": found.label,
        "video": str(Path(config.video).expanduser().absolute()),
        "checkpoint": str(trained.file),
        "kclips": trained.kclips,
        "loss": found.history[-1],
        **identity,
    }
    info = {key: result[key] for key in ("psnr", "video", "checkpoint", "weights")}
    latent = {name: part.detach().cpu() for name, part in found.latent().items()}
    codes = folder / "codes.safetensors"
    save_codes(codes, Codes(latent, found.times, found.label, info))
    pair = _side_by_side(found.pixels, made)
    write_mp4(folder / "side_by_side.mp4", tile(pair, columns=3), fps=config.fps)
    write_png(folder / "side_by_side.png", tile(pair, columns=1))
    with replacing(folder / "projection.json") as partial:
        partial.write_text(json.dumps(result, indent=2) + "\n")
    print(
        f"PSNR {mean:.2f} dB (frames {per_frame.min():.2f} to {per_frame.max():.2f}; the start had {begun:.2f})"
    )
    print(f"codes: {codes}")
    print(f"the video, what the codes make, and the difference: {folder / 'side_by_side.mp4'}")


def _side_by_side(target: Tensor, made: Tensor) -> np.ndarray:
    """The video, what the codes make of it, and how far they are apart, (3, T, H, W, C)."""
    apart = (target.int() - made.int()).abs().to(torch.uint8)
    return torch.stack([target, made, apart]).numpy()
