import torch

from vgen.layer.paste import paste_frames


def test_given_frames_take_their_places_in_any_choice_of_frames():
    video = torch.zeros(2, 1, 4, 1, 1)
    given = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(2, 1, 2, 1, 1)
    assert paste_frames(video, given).flatten(1).tolist() == [[1, 2, 0, 0], [3, 4, 0, 0]]
    index = torch.tensor([[0, 2, 1, 3], [1, 3, 5, 0]])
    assert paste_frames(video, given, index).flatten(1).tolist() == [[1, 0, 2, 0], [4, 0, 0, 3]]
    every = torch.arange(4).expand(2, -1)
    assert torch.equal(paste_frames(video, given, every), paste_frames(video, given))
