import pytest
import torch

from vgen.metric.mcs import LinearClassifier, MotionControlScore, hold_out

CENTRES = torch.tensor([[4.0, 0, 0, 0], [0, 4, 0, 0], [0, 0, 4, 0]])


def labelled(clips, seed, noise=1.0):
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(clips) % 3
    return CENTRES[labels] + noise * torch.randn(clips, 4, generator=rng), labels


def test_classes_asked_for_and_classes_mixed_up():
    metric = MotionControlScore()
    (real, real_labels), (fake, fake_labels) = labelled(120, 1), labelled(90, 2)
    right = metric.measure_labelled(real, fake, real_labels, fake_labels)["mcs"]
    assert right.value > 0.95
    assert right.real > 0.9
    wrong = metric.measure_labelled(real, fake, real_labels, (fake_labels + 1) % 3)["mcs"]
    assert wrong.value < 0.05
    rng = torch.Generator().manual_seed(3)
    chance = metric.measure_labelled(real, fake, real_labels, fake_labels[torch.randperm(90, generator=rng)])[
        "mcs"
    ]
    assert chance.value == pytest.approx(1 / 3, abs=3 * chance.standard_error)


def test_half_of_the_fakes_of_another_class():
    (real, real_labels), (fake, fake_labels) = labelled(120, 1, 0.3), labelled(90, 2, 0.3)
    asked = torch.where(torch.arange(90) < 45, fake_labels, (fake_labels + 1) % 3)
    found = MotionControlScore().measure_labelled(real, fake, real_labels, asked)["mcs"]
    assert found.value == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(0.5 / 89**0.5)


def test_labels_need_not_count_from_zero_and_streaming_is_the_same():
    metric = MotionControlScore()
    (real, real_labels), (fake, fake_labels) = labelled(120, 1), labelled(90, 2)
    expected = metric.measure_labelled(real, fake, real_labels, fake_labels)["mcs"].value
    metric.update(real, real=True, labels=10 + 5 * real_labels)
    for part, labels in zip(fake.split(40), fake_labels.split(40), strict=True):
        metric.update(part, real=False, labels=10 + 5 * labels)
    assert metric.compute().item() == pytest.approx(expected)


def test_classifier_is_at_its_optimum():
    features, labels = labelled(60, 1)
    classifier = LinearClassifier(features, labels, classes=3, penalty=0.05)
    standard = (features.double() - features.double().mean(0)) / features.double().std(0, correction=0)
    residual = torch.softmax(classifier.logits(features), dim=1) - torch.nn.functional.one_hot(labels, 3)
    gradient = standard.T @ residual / 60 + 0.05 * classifier.weight
    assert gradient.abs().max() < 1e-5
    assert residual.mean(dim=0).abs().max() < 1e-5


def test_hold_out_takes_its_share_of_every_class():
    labels = torch.tensor([0] * 40 + [1] * 8 + [2] * 2)
    held = hold_out(labels, share=0.25, seed=0)
    assert [int(held[labels == k].sum()) for k in range(3)] == [10, 2, 1]
    assert torch.equal(held, hold_out(labels, share=0.25, seed=0))
    assert not torch.equal(held, hold_out(labels, share=0.25, seed=1))


def test_refusals():
    metric = MotionControlScore()
    real, labels = labelled(30, 1)
    for real_labels, fake_labels, message in (
        (torch.zeros_like(labels), labels, "one class"),
        (labels, labels + 5, "class 5, of which there is no real clip"),
        (labels, labels[:7], "labels of shape"),
        (torch.tensor([3, *labels[1:].tolist()]), labels, "class 3 has 1 real clip|1 real clip"),
    ):
        with pytest.raises(ValueError, match=message):
            metric.measure_labelled(real, real, real_labels, fake_labels)
    with pytest.raises(ValueError, match="needs the class"):
        metric.update(real, real=True)
    with pytest.raises(ValueError, match="held_out=1"):
        MotionControlScore(held_out=1.0)
