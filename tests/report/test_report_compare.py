import itertools

import pytest

from vgen.report.compare import make_rows
from vgen.report.naming import name_configs
from vgen.report.runs import read_runs
from vgen.report.settings import comparable


def component(target, **arguments):
    return {"_target_": f"vgen.{target}", **arguments}


HINGE, NS = component("loss.hinge.Hinge", margin=1.0), component("loss.ns.NonSaturating")
R1 = component("regularizer.r1.R1", weight=10.0)
GP = component("regularizer.wgan_gp.WGANGP", weight=1.0)


def names(*configs):
    return name_configs(configs)[0]


def test_only_differing_keys_make_the_name():
    assert names({"a": {"b": 1, "c": 2.5}}, {"a": {"b": 1, "c": 10.0}}) == ["a.c=2.5", "a.c=10"]
    assert names({"a": 1}) == [""]


def test_a_missing_key_shows_as_none_and_equals_null():
    assert names({"a": 1, "b": 1}, {"a": 1}) == ["b=1", "b=none"]
    assert names({"a": 1, "b": None}, {"a": 1}) == ["", ""]


def test_components_are_named_by_class_and_hide_their_arguments():
    assert names({"loss": HINGE}, {"loss": NS}) == ["loss=Hinge", "loss=NonSaturating"]


def test_options_are_preferred_for_names():
    first = {"choices": {"loss": "hinge"}, "loss": HINGE}
    second = {"choices": {"loss": "non_saturating"}, "loss": NS}
    assert names(first, second) == ["loss=hinge", "loss=non_saturating"]


def test_classes_of_one_name_are_told_apart_by_module():
    configs = [{"loss": component("loss.a.Loss")}, {"loss": component("loss.b.Loss")}]
    assert names(*configs) == ["loss=a.Loss", "loss=b.Loss"]


def test_an_overridden_target_beats_an_option_that_hides_it():
    configs = [{"choices": {"loss": "hinge"}, "loss": loss} for loss in (HINGE, NS)]
    assert names(*configs) == ["loss=Hinge", "loss=NonSaturating"]


def test_variants_of_one_class_are_named_by_option():
    configs = [
        {
            "choices": {"generator": option},
            "generator": component("generator.vgan.VGAN", width=width, depth=width),
        }
        for option, width in (("vgan", 64), ("vgan_small", 32))
    ]
    assert names(*configs) == ["generator=vgan", "generator=vgan_small"]


def test_an_argument_is_named_where_the_component_is_the_same():
    configs = [{"loss": HINGE}, {"loss": HINGE | {"margin": 2.0}}, {"loss": NS}]
    assert names(*configs) == [
        "loss=Hinge, loss.margin=1",
        "loss=Hinge, loss.margin=2",
        "loss=NonSaturating",
    ]


def test_nested_components():
    def framewise(motion):
        return {
            "generator": component(
                "generator.framewise.Framewise", motion=component(f"generator.motion.{motion}")
            )
        }

    vgan = {"generator": component("generator.vgan.VGAN")}
    assert names(framewise("gru.GRU"), framewise("spline.Spline")) == [
        "generator.motion=GRU",
        "generator.motion=Spline",
    ]
    assert names(framewise("gru.GRU"), vgan) == ["generator=Framewise", "generator=VGAN"]
    with_option = [
        framewise(motion) | {"choices": {"generator/motion": option}}
        for motion, option in (("gru.GRU", "gru"), ("spline.Spline", "akima"))
    ]
    assert names(*with_option) == ["generator.motion=gru", "generator.motion=akima"]


def test_lists_of_named_terms():
    one = {"choices": {"regularizer": ["r1"]}, "regularizer": {"r1": R1}}
    two = {
        "choices": {"regularizer": ["r1", "wgan_gp"]},
        "regularizer": {"r1": R1 | {"weight": 1.0}, "wgan_gp": GP},
    }
    assert names(one, two) == [
        "regularizer=r1, regularizer.r1.weight=10",
        "regularizer=r1+wgan_gp, regularizer.r1.weight=1",
    ]
    for config in (one, two):
        config.pop("choices")
    weak = {"regularizer": {"r1": R1 | {"weight": 1.0}}}
    assert names(one, weak, {"regularizer": {}}) == [
        "regularizer=r1, regularizer.r1.weight=10",
        "regularizer=r1, regularizer.r1.weight=1",
        "regularizer=none",
    ]
    other = {"regularizer": {"r1": GP}}
    assert names(one, other) == ["regularizer.r1=R1", "regularizer.r1=WGANGP"]


def test_copies_of_a_shared_fact_are_not_repeated():
    configs = [
        {"clip": {"size": s}, "generator": {"size": s}, "discriminator": {"size": s}} for s in (64, 128)
    ]
    assert names(*configs) == ["clip.size=64", "clip.size=128"]
    learning_rates = [{"optimizer": {"generator": {"lr": r}, "discriminator": {"lr": r}}} for r in (1, 2)]
    assert names(*learning_rates)[0] == "optimizer.generator.lr=1, optimizer.discriminator.lr=1"


def test_runs_that_differ_in_much_are_named_by_what_tells_them_apart():
    def config(generator, data, **more):
        return {"generator": component(generator), "data": component(data), **more}

    configs = [
        config("g.Gru", "d.Shapes", a=1, b=1, c=1, d=1),
        config("g.Vgan", "d.Shapes", a=2, b=1, c=1, d=2),
        config("g.Gru", "d.Videos", a=3, b=2, c=2, d=3),
    ]
    assert names(*configs) == ["a=1", "a=2", "a=3"]  # one key tells all
    for same in configs:
        same["a"] = same["d"] = 0
        same["e"] = same["b"]
    assert names(*configs) == [
        "data=Shapes, generator=Gru",
        "data=Shapes, generator=Vgan",
        "data=Videos, generator=Gru",
    ]


def test_a_fingerprint_is_named_only_where_nothing_else_tells_the_data(make_run, tmp_path):
    for data in "ab":
        provenance = {"data": {"fingerprint": f"print of {data}"}}
        make_run(data, config={"seed": 0, "data": {"path": f"/{data}"}}, provenance=provenance)
    (a, b), _ = make_rows(read_runs([tmp_path / "runs"])[0])
    assert (a.name, b.name) == ("data.path=/a", "data.path=/b")
    assert a.unnamed == ["data_fingerprint"]


def test_details_keep_what_the_name_leaves_out():
    differences = name_configs([{"loss": HINGE}, {"loss": NS}])[1]
    assert differences[0] == {"loss._target_": "vgen.loss.hinge.Hinge", "loss.margin": "1"}
    assert differences[1] == {"loss._target_": "vgen.loss.ns.NonSaturating", "loss.margin": "none"}


@pytest.mark.parametrize("with_choices", [True, False])
def test_different_configs_always_get_different_names(with_choices):
    def config(loss, weight, size, terms):
        option = (
            {"choices": {"loss": loss["_target_"].split(".")[2], "regularizer": list(terms)}}
            if with_choices
            else {}
        )
        chosen = {term: {"r1": R1 | {"weight": weight}, "gp": GP}[term] for term in terms}
        return {"loss": loss, "regularizer": chosen, "clip": {"size": size}} | option

    configs = [
        config(*setting)
        for setting in itertools.product(
            [HINGE, HINGE | {"margin": 2.0}, NS], [1.0, 10.0], [64, 128], [["r1"], ["r1", "gp"]]
        )
    ]
    assert len(set(names(*configs))) == len(configs)


def test_what_is_not_the_method_is_ignored():
    def config(n):
        folder = f"/somewhere/run{n}"
        return {
            "seed": n,
            "name": f"run {n}",
            "output": folder,
            "run_id": f"{n:012x}",
            "resume": folder,
            "best": f"fvd/{n}",
            "sweep": f"search{n}",
            "weights": {"dir": f"/weights{n}"},
            "clip": {"class_names": [str(n)]},
            "paths": {"output": folder, "short": ""},
            "trainer": {"devices": n, "precision": "32"},
            "logger": {"wandb": {"id": n}},
            "data": {"seed": n, "cache": f"/tmp/{n}", "workers": n},
            "log_every": n,
            "protocol": {"count": n},
            "callback": {
                "samples": component("callback.samples.SampleGrid", every=n),
                "mine": {"where": f"{folder}/here", "seed": 0},
            },
        }

    assert comparable(config(1)) == comparable(config(2))
    assert comparable(config(1)) == {
        "trainer.precision": "32",
        "callback.mine.where": "${paths.output}/here",
    }


def rows_of(tmp_path):
    return make_rows(read_runs([tmp_path / "runs"])[0])


def test_seeds_share_a_row(make_run, tmp_path):
    for n, (loss, seed) in enumerate(itertools.product((HINGE, NS), (10, 9))):
        make_run(f"sweep/{n}", config={"seed": seed, "loss": loss})
    rows, problems = rows_of(tmp_path)
    assert [(row.name, [run.seed for run in row.runs]) for row in rows] == [
        ("loss=Hinge", [9, 10]),
        ("loss=NonSaturating", [9, 10]),
    ]
    assert problems == []


def test_a_single_method_has_the_name_of_its_experiment(make_run, tmp_path):
    make_run("mnist/a", config={"seed": 0})
    assert rows_of(tmp_path)[0][0].name == "mnist"
    make_run("mnist/b", config={"seed": 1, "choices": {"experiment": "vgan_mnist"}})
    make_run("mnist/c", config={"seed": 0, "choices": {"experiment": "vgan_mnist"}})
    assert len(rows_of(tmp_path)[0]) == 1


def test_the_same_seed_counts_once(make_run, tmp_path):
    config = {"seed": 0}
    make_run(
        "a", config=config, metrics={"fvd/x": 1.0}, provenance={"started": "2030-01-01", "finished": "x"}
    )
    make_run("b", config=config, metrics={"fvd/x": 2.0}, provenance={"started": "2030-01-03"})
    make_run(
        "c", config=config, metrics={"fvd/x": 3.0}, provenance={"started": "2030-01-02", "finished": "x"}
    )
    make_run("d", config=config, provenance={"started": "2030-01-09", "finished": "x"})
    rows, problems = rows_of(tmp_path)
    assert [[run.name for run in row.runs] for row in rows] == [["c"]]
    assert sorted(problem.run for problem in problems) == ["a", "b", "d"]
    assert all(problem.left_out for problem in problems)


def test_seeds_of_parts_neither_split_a_row_nor_count_as_the_same_run(make_run, tmp_path):
    for n, (seed, part) in enumerate([(0, 0), (1, 0), (1, 1)]):
        make_run(str(n), config={"seed": seed, "data": {"seed": part}})
    rows, problems = rows_of(tmp_path)
    assert [len(row.runs) for row in rows] == [3]
    assert problems == []


def test_other_training_data_is_another_row(make_run, tmp_path):
    for n, data in enumerate(("feed", "cafe")):
        make_run(str(n), config={"seed": n}, provenance={"data": {"fingerprint": data}, "finished": "x"})
    assert [row.name for row in rows_of(tmp_path)[0]] == ["data_fingerprint=feed", "data_fingerprint=cafe"]
