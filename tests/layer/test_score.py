import torch

from vgen.clip import Judgement
from vgen.layer.score import clip_score


def test_mean_over_positions_sum_over_heads():
    patches = torch.tensor([[[1.0, 3.0]], [[5.0, 5.0]]])
    judgement = Judgement({"image": patches, "video": torch.tensor([10.0, 20.0])})
    assert clip_score(judgement).tolist() == [12.0, 25.0]
    assert clip_score(Judgement({"image": patches})).tolist() == [2.0, 5.0]
