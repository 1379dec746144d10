import logging
import sys
from pathlib import Path

import pytest
import torch
from clip_sets import Brightness, Colours, Tensors, pixels
from torch import nn

from vgen.protocol.features import extract
from vgen.protocol.store import FeatureStore, code_version, weights_hash


def files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file())


def test_a_finished_set_is_one_file(tmp_path):
    extract(Tensors(pixels(10, 1)), [Colours()], store=FeatureStore(tmp_path), batch=4)
    assert len(files(tmp_path)) == len(list(tmp_path.iterdir())) == 1


def test_the_key_follows_clips_extractor_and_count(tmp_path):
    store, base = FeatureStore(tmp_path), Tensors(pixels(4, 1))
    changed = base.pixels.clone()
    changed[2, 1, 3, 3, 0] ^= 1
    other = Colours()
    other.fingerprint = "d" * 64
    shelves = [
        store.shelf(base, Colours()),
        store.shelf(Tensors(changed), Colours()),
        store.shelf(Tensors(base.pixels, name="others"), Colours()),
        store.shelf(base, other),
        store.shelf(base, Brightness()),
    ]
    assert len({shelf.file for shelf in shelves}) == len(shelves)
    assert store.shelf(Tensors(base.pixels), Colours()).file == shelves[0].file


def test_changed_code_is_another_question(tmp_path, monkeypatch):
    (tmp_path / "their_extractor.py").write_text("class Theirs:\n    name = 'a'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import their_extractor  # type: ignore[import-not-found]

    before = code_version(their_extractor.Theirs())
    assert code_version(their_extractor.Theirs()) == before
    (tmp_path / "their_extractor.py").write_text("class Theirs:\n    name = 'b'\n")
    del sys.modules["their_extractor"]
    import their_extractor

    assert code_version(their_extractor.Theirs()) != before
    del sys.modules["their_extractor"]


def test_code_reaches_the_modules_that_a_module_takes_names_from():
    """The decoder and the resizing of a folder of videos are part of what decides its pixels."""
    from vgen.data.evaluation_clips import VideoClips
    from vgen.protocol import store

    found: dict = {}
    store._follow(sys.modules[VideoClips.__module__], found, deep=True)
    assert "vgen.rng" in found
    assert not any(name.startswith("torch") for name in found)


def test_weights_hash_sees_values_names_and_shapes():
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    base = weights_hash(net.state_dict())
    assert base == weights_hash(dict(reversed(net.state_dict().items())))
    with torch.no_grad():
        net.weight[0, 0] += 1e-6
    assert weights_hash(net.state_dict()) != base
    assert weights_hash({"a": torch.zeros(2, 3)}) != weights_hash({"a": torch.zeros(3, 2)})


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_made_again_with_a_warning(tmp_path, caplog, damage):
    store, clips = FeatureStore(tmp_path), Tensors(pixels(10, 1))
    good = extract(clips, [Colours()], store=store)["colours"]
    (file,) = files(tmp_path)
    data = bytearray(file.read_bytes())
    data[-30] ^= 1
    file.write_bytes(
        {"truncated": data[:-20], "flipped": data, "empty": b"", "foreign": b"not safetensors at all"}[damage]
    )
    extractor = Colours()
    with caplog.at_level(logging.WARNING, "vgen"):
        again = extract(clips, [extractor], store=store)["colours"]
    assert extractor.seen == 10
    assert torch.equal(again.values["clip"], good.values["clip"])
    assert "cannot be used and are made again" in caplog.text
    assert extract(clips, [extractor], store=store)["colours"].cached == 10


def test_a_damaged_part_costs_its_clips_only(tmp_path):
    store, clips = FeatureStore(tmp_path), Tensors(pixels(12, 1))
    whole = extract(clips, [Colours()], batch=4)["colours"]
    shelf = store.shelf(clips, Colours())
    for start in (0, 4, 8):
        shelf.add(start, whole.rows(start, start + 4))
    part = files(tmp_path)[1]
    part.write_bytes(part.read_bytes()[:-1])
    extractor = Colours()
    found = extract(clips, [extractor], store=store, batch=4)["colours"]
    assert extractor.seen == 4
    assert found.cached == 8
    assert torch.equal(found.values["clip"], whole.values["clip"])
    assert found.hashes == whole.hashes


def test_a_full_disk_costs_the_cache_and_not_the_evaluation(tmp_path, caplog):
    (tmp_path / "taken").write_text("a file where the folder should be")
    clips, extractor = Tensors(pixels(10, 1)), Colours()
    with caplog.at_level(logging.WARNING, "vgen"):
        found = extract(clips, [extractor], store=FeatureStore(tmp_path / "taken"), batch=2)["colours"]
    assert torch.equal(found.values["clip"], Colours()(clips.pixels)["clip"])
    assert caplog.text.count("the evaluation goes on without") == 1


def test_two_at_one_key_do_no_harm(tmp_path):
    """Another process finishes while this one is half way: both end with the same features."""
    store, clips, others = FeatureStore(tmp_path), Tensors(pixels(12, 1)), Tensors(pixels(12, 1))
    read = clips.read

    def overtaken(indices):
        if 8 in indices:
            extract(others, [Colours()], store=store, batch=4)
        return read(indices)

    clips.read = overtaken  # type: ignore[method-assign]
    found = extract(clips, [Colours()], store=store, batch=4)["colours"]
    assert torch.equal(found.values["clip"], Colours()(clips.pixels)["clip"])
    assert extract(others, [Colours()], store=store)["colours"].cached == 12
    assert len(files(tmp_path)) == 1


def test_settings(tmp_path, monkeypatch):
    assert FeatureStore.chosen(False) is None
    assert FeatureStore.chosen(str(tmp_path)).folder == tmp_path  # type: ignore[union-attr]
    monkeypatch.setenv("VGEN_FEATURES", str(tmp_path / "there"))
    assert FeatureStore.chosen(None).folder == tmp_path / "there"  # type: ignore[union-attr]
