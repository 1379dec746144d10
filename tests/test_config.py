"""Every option of every group: found by Hydra's own loader, placed by the house's rule, composed and built.

A new option is tested here from the moment its YAML exists.
"""

import itertools
import re
from functools import cache
from pathlib import Path

import hydra
import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint
from toy import Gradients, toy_trainer

from vgen.cli.build import build_data, build_model, build_trainer, check_values, settle_classes
from vgen.config import CONF_DIR, ConfigError, instantiate, plain, signature_problem, steps_of

# Groups whose room is in vgen/; the others configure Lightning's, torch's and Hydra's own classes.
ROOMS = {
    "data", "sampler", "generator", "generator/motion", "generator/synthesis", "condition", "discriminator",
    "discriminator/head", "loss", "regularizer", "augment", "extractor", "metric", "protocol", "training", "callback",
}  # fmt: skip
TINY = [
    "clip.size=16", "clip.frames=16", "batch=2", "log_every=1", "hydra.run.dir=.", "paths.run=unused", "logger=none",
    "callback=[progress]",
]  # fmt: skip


@cache
def options() -> dict[str, tuple[str, ...]]:
    """Group -> its options, as Hydra sees them."""
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()

        def walk(group: str) -> dict[str, tuple[str, ...]]:
            inner = [f"{group}/{g}".strip("/") for g in loader.list_groups(group)]
            here = {group: tuple(loader.get_group_options(group))} if group else {}
            return here | {k: v for g in inner for k, v in walk(g).items()}

        return {g: o for g, o in walk("").items() if o and not g.startswith("hydra")}


def compose(*overrides: str) -> DictConfig:
    with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return hydra.compose("train", overrides=list(overrides))


def every(*groups: str) -> list[tuple[str, str]]:
    chosen = groups or tuple(options())
    return [(group, option) for group in chosen for option in options()[group]]


def targets(node: object) -> list[dict]:
    """All dictionaries with a `_target_` below `node`."""
    if isinstance(node, dict):
        own = [node] if "_target_" in node else []
        return own + [t for value in node.values() for t in targets(value)]
    return [t for item in node for t in targets(item)] if isinstance(node, list) else []


def raw(group: str, option: str) -> dict:
    return yaml.safe_load((CONF_DIR / group / f"{option}.yaml").read_text()) or {}


@pytest.mark.parametrize(("group", "option"), every())
def test_header_says_what_it_is_and_how_to_run_it(group: str, option: str) -> None:
    lines = (CONF_DIR / group / f"{option}.yaml").read_text().splitlines()
    comments = [
        line
        for line in itertools.takewhile(lambda line: line.startswith("#"), lines)
        if "@package" not in line
    ]
    assert len(comments) >= 2
    assert any(re.match(r"# (vgen|\./scripts)", line) for line in comments), "no command in the header"


@pytest.mark.parametrize(("group", "option"), [(g, o) for g, o in every() if g in ROOMS])
def test_option_lies_in_its_room(group: str, option: str) -> None:
    """conf/X/Y.yaml -> vgen.X.Y; a variant points to the module of another option of the same group."""
    room = "vgen." + group.replace("/", ".") + "."
    for node in targets(raw(group, option)):
        target: str = node["_target_"]
        if not target.startswith("vgen."):
            assert group == "callback", f"{target} does not lie in {room}"
            continue
        assert target.startswith(room)
        module = target.removeprefix(room).split(".")[0]
        assert module == option or (CONF_DIR / group / f"{module}.yaml").exists(), (
            f"{module} has no option of its name"
        )


@pytest.mark.parametrize(
    ("group", "option"), [(g, o) for g, o in every() if g not in ("experiment", "debug")]
)
def test_keys_are_arguments_of_their_target(group: str, option: str) -> None:
    for node in targets(raw(group, option)):
        names = {k: "???" for k in node if not k.startswith("_") and k != "defaults"}
        if group == "trainer":
            names.pop("profile", None)  # vgen's own, taken out before Lightning's Trainer is built
        assert signature_problem(node["_target_"], names) is None


@pytest.mark.parametrize("group", sorted(ROOMS - {"callback", "training", "data", "protocol"}))
def test_every_module_with_a_public_class_of_the_room_has_an_option(group: str) -> None:
    """No part that cannot be chosen: each file that some YAML does not name must be a helper, which none targets."""
    room = "vgen." + group.replace("/", ".")
    named = {node["_target_"].rsplit(".", 1)[0] for o in options()[group] for node in targets(raw(group, o))}
    folder = CONF_DIR.parent / "vgen" / group
    for option in options()[group]:
        file = folder / f"{option}.yaml"
        assert not file.exists()
    assert all(name.startswith(room) for name in named)


def build(*overrides: str):
    config = compose(*TINY, *overrides)
    check_values(config)
    if "path" in config.data:
        pytest.skip("needs files")
    data = build_data(config)
    settle_classes(config, data.source)
    OmegaConf.resolve(config)
    torch.manual_seed(0)
    return config, data, build_model(config, data.sampler)


# The cell that starts MoCoGAN-HD's walk comes from a state of zeros. What is added to all scores alike cancels in
# hinge, Wasserstein and relativistic losses.
WITHOUT_GRADIENT = r"generator\.(.*\.)?motion\.start\.weight_hh|discriminator\..*bias"


def train_steps(folder: Path, *overrides: str, steps: int = 3) -> None:
    _, data, model = build(*overrides)
    gradients = Gradients(model)
    toy_trainer(folder, steps, callbacks=[gradients]).fit(model, datamodule=data)
    assert model.iteration == steps
    assert gradients.each_player_learns_alone()
    if steps > 2:  # by then layers that start at 0 no longer keep gradients from what lies behind them
        still = gradients.trained - gradients.moving
        assert {name for name in still if not re.fullmatch(WITHOUT_GRADIENT, name)} == set()
    for name, value in model.state_dict().items():
        assert value.isfinite().all(), name


def test_regularizers_merge_as_a_list() -> None:
    config = compose("regularizer=[r1,wgan_gp]", "regularizer.r1.weight=3")
    assert set(config.regularizer) == {"r1", "wgan_gp"}
    assert config.regularizer.r1.weight == 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["generator.content_dim=wide"], r"generator: content_dim='wide': input should be a valid integer"),
        (["clip.size=50"], r"clip\.size"),
        (["discriminator.video=huge"], r"discriminator: video='huge'"),
        (["clip.classes=7"], r"clip\.classes=7: the data has 2 classes"),
        (["+loss.temperature=2"], r"takes no argument 'temperature'"),
        (
            ["+augment=none", "loss._target_=vgen.loss.nothing.Loss"],
            r"cannot import 'vgen\.loss\.nothing\.Loss'",
        ),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(
        (ConfigError, ValueError, hydra.errors.ConfigCompositionException), match=message
    ) as raised:
        build(*[o for o in overrides if not o.startswith("+augment")])
    assert "\n" not in str(raised.value)


def test_steps_round_up_to_whole_updates() -> None:
    assert steps_of(1, 16, 1) == 63
    assert steps_of(0.5, 10, 5) == 10
    assert steps_of(0, 10, 5) == 1


def test_instantiate_names_the_key() -> None:
    node = OmegaConf.create({"loss": {"_target_": "vgen.loss.hinge.Hinge", "margin": 1}}).loss
    with pytest.raises(ConfigError, match=r"loss: .*takes no argument 'margin'"):
        instantiate(node)


@pytest.mark.parametrize("option", options().get("experiment", ()))
def test_experiments_compose_and_resolve(option: str) -> None:
    path = ["data.path=somewhere"] if "videos" in str(raw("experiment", option)["defaults"]) else []
    config = compose(f"experiment={option}", "paths.run=unused", "callback=[progress]", *path)
    assert plain(config)["name"] == option


@pytest.mark.parametrize(
    "change",
    [
        "generator=vgan",
        "discriminator=vgan",
        "regularizer=none",
        "regularizer=[wgan_gp]",
        "loss=wgan",
        "data=shapes",
    ],
)
def test_an_experiment_takes_other_parts(tmp_path: Path, change: str) -> None:
    """What an experiment sets must not stand in the way of swapping one of its parts."""
    train_steps(tmp_path, "experiment=mocogan_shapes", change, "clip.frames=8", "width=4", steps=1)


@pytest.mark.parametrize("option", options().get("experiment", ()))
def test_debug_makes_any_experiment_short(option: str) -> None:
    config = compose(f"experiment={option}", "debug=fast", "paths.run=unused")
    assert 1 <= steps_of(config.kclips, config.batch, config.training.d_steps) <= 4
    assert config.metric_every == 0.016


def test_betas_may_be_whole_numbers(tmp_path: Path) -> None:
    betas = ("optimizer.generator.betas=[0,0.99]", "optimizer.discriminator.betas=[0,0.9]")
    train_steps(tmp_path, *betas, "width=4", steps=1)


def test_the_best_checkpoint_is_written_before_the_last() -> None:
    """Where both are due, last.ckpt must hold the new best score, or a resumed run forgets it."""
    names = [name for name, node in compose().callback.items() if "ModelCheckpoint" in node._target_]
    assert names == ["best", "last"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["regularizer=classification"], r"class"),
        (["regularizer=mask_sparsity"], r"mask"),
        (["regularizer=mutual_information"], r"lstm_residual"),
        (
            ["+training.head_weights.sound=1"],
            r"head_weights\.sound: the discriminator has heads image, video",
        ),
        (["batch=4.0"], r"batch=4.0: input should be a valid integer"),
        (["generator.content_dim=50.0"], r"content_dim=50.0: input should be a valid integer"),
        (["+optimizer.generator.beta=0"], r"optimizer\.generator: .* takes no argument 'beta'"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_data_is_read(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(*overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["trainer.precision=64-true"], r"trainer\.precision=64-true: choose auto, 32-true"),
        (
            ["callback=[progress,metrics,checkpoint]", "best=fvd/i3d"],
            r"best=fvd/i3d: the run measures fvd/embedded, kvd/embedded; choose one of them",
        ),
        (
            [
                "callback=[metrics,checkpoint]",
                "metric=[dynamic_degree]",
                "best=motion_magnitude/flow",
                "extractor=[flow]",
            ],
            r"best=motion_magnitude/flow: neither way is better; choose another of dynamic_degree/flow",
        ),
        (["callback=[progress]", "+callback.samples.count=4"], r"callback\.samples: is no Callback"),
    ],
)
def test_trainers_that_cannot_work_are_refused(overrides: list[str], message: str) -> None:
    config = compose(*TINY, *overrides)
    with pytest.raises(ConfigError, match=message):
        build_trainer(config)


@pytest.mark.parametrize(
    ("best", "mode"), [("fvd/embedded", "min"), ("recall/embedded", "max"), ("recall/random", "max")]
)
def test_the_best_checkpoint_follows_the_direction_of_its_metric(best: str, mode: str) -> None:
    config = compose(
        *TINY, "callback=[metrics,checkpoint]", "extractor=[embedded,random]", "metric=[frechet,precision_recall]",
        f"best={best}",
    )  # fmt: skip
    kept = next(c for c in build_trainer(config).callbacks if getattr(c, "monitor", None))  # type: ignore[attr-defined]
    fresh = ModelCheckpoint(monitor=best, mode=mode)
    assert (kept.monitor, kept.mode, kept.kth_value) == (best, mode, fresh.kth_value)


def test_without_online_metrics_there_is_no_best_checkpoint() -> None:
    trainer = build_trainer(compose(*TINY, "callback=[checkpoint]"))
    assert [c.monitor for c in trainer.callbacks if isinstance(c, ModelCheckpoint)] == [None]  # type: ignore[attr-defined]


def test_extractors_and_metrics_merge_as_lists() -> None:
    config = compose(
        "extractor=[embedded,random]", "metric=[frechet,precision_recall]", "extractor.random.seed=3"
    )
    assert set(config.extractor) == {"embedded", "random"}
    assert config.extractor.random.seed == 3
    assert {"frechet", "precision_recall"} <= set(config.metric)
