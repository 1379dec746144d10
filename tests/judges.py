"""What tests of several discriminators ask of each of them."""

import copy

import torch
from torch import Tensor, nn
from two_halves import as_one_process, as_processes

from vgen.clip import Clip, Judgement
from vgen.layer.score import score_gradient


def total(judgement: Judgement) -> Tensor:
    """A number to which everything that is judged contributes."""
    values = [logits.square().sum() for logits in judgement.logits.values()]
    if judgement.class_logits is not None:
        values.append(judgement.class_logits.square().sum())
    return torch.stack(values).sum()


def check_gradients_of_gradients(network: nn.Module, clip: Clip) -> None:
    """A penalty on the gradient of every clip's pixels reaches every parameter."""
    judgement = network(Clip(clip.video.requires_grad_(), clip.times, clip.label))
    gradient = score_gradient(judgement, clip.video)
    assert gradient.flatten(1).any(1).all()
    (gradient.square().sum() + total(judgement)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def check_two_processes_judge_as_one(original: nn.Module, whole: Clip) -> None:
    """Values, running statistics, and the gradient of a penalty on the pixels' gradient, of four clips."""

    def work(clip: Clip):
        network = copy.deepcopy(original)
        clip = clip.with_video(clip.video.clone().requires_grad_())
        judgement = network(clip)
        gradient = score_gradient(judgement, clip.video)
        (gradient.square().sum() + total(judgement)).backward()
        # What never reaches the score of a clip has no gradient from it.
        grads = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
        return dict(judgement.logits), gradient.detach(), grads, dict(network.named_buffers())

    halves = [Clip(whole.video[i : i + 2], whole.times[i : i + 2], whole.label[i : i + 2]) for i in (0, 2)]
    logits, gradient, grads, buffers = as_one_process(work, whole)
    split = as_processes(work, halves)
    for head, values in logits.items():
        torch.testing.assert_close(torch.cat([part[0][head] for part in split]), values)
    torch.testing.assert_close(torch.cat([part[1] for part in split]), gradient)
    for name, value in grads.items():
        torch.testing.assert_close(sum(part[2][name] for part in split), value, msg=name)
    for part in split:
        torch.testing.assert_close(part[3], buffers)
