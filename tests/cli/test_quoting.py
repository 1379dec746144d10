"""What users type reaches Hydra as they mean it."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vgen.cli.quoting import quote_argument


def value_of(argument: str) -> object:
    return OverridesParser.create().parse_override(quote_argument(argument)).value()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("train=[trainer=gpu,workers=4]", ["trainer=gpu", "workers=4"]),
        ("train=[trainer=gpu, regularizer=[r1,wgan_gp]]", ["trainer=gpu", "regularizer=[r1,wgan_gp]"]),
        ("train=['a=b',\"c=d\"]", ["a=b", "c=d"]),
        ("train=[it,x=y]", ["it", "x=y"]),
        ("metric=[frechet,kernel]", ["frechet", "kernel"]),
        ("levels.noise=[5,10]", [5, 10]),
    ],
)
def test_words_in_a_list_need_no_quotes(argument: str, value: object) -> None:
    assert value_of(argument) == value


@pytest.mark.parametrize(
    "name", ["loss=hinge,seed=1", "a,b", "it's,here", "x=1", "videos (1)", "it's", "a [b] {c} & d"]
)
def test_a_path_that_exists_is_one_text(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    assert value_of(f"checkpoint={tmp_path / name}") == str(tmp_path / name)


def test_paths_in_a_list_are_texts(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("videos (1)", "größe", "a [b] & c", "plain")]
    for path in paths:
        path.mkdir()
    assert value_of(f"runs=[{','.join(map(str, paths))}]") == list(map(str, paths))


@pytest.mark.parametrize("name", ["a[1]", "a,b=2"])
def test_a_folder_to_be_made_is_one_text(name: str) -> None:
    assert value_of(f"output=runs/{name}") == f"runs/{name}"


def test_text_beyond_ascii_is_one_text() -> None:
    assert value_of("output=out/gebärdé 你好") == "out/gebärdé 你好"


@pytest.mark.parametrize(
    "argument", ["loss=hinge,wgan", "-m", "--config-dir=a,b", "seed=range(3)", "x={a: 1,b: 2}"]
)
def test_everything_else_stays_as_it_is(argument: str) -> None:
    assert quote_argument(argument) == argument
