import numpy as np
import pytest
import torch

from magic_ui import InputError
from magic_ui.evaluation.classifier import (
    classify,
    confusion_matrix,
    load_classifier,
    save_classifier,
    train_classifier,
)


@pytest.fixture(scope="module")
def trained(samples):
    return train_classifier(samples[:12], steps=40, batch_size=12)


def read(model, samples, pictures):
    return classify(model, [s.normal for s in samples], pictures, [s.mask for s in samples])


def test_unlike_defects_are_told_apart(trained, samples):
    unseen = samples[12:]
    counts = confusion_matrix(
        [s.defect for s in unseen], read(trained, unseen, [s.defective for s in unseen]), trained.classes
    )
    assert np.trace(counts) >= 5


def test_probabilities_add_up(trained, samples):
    assert read(trained, samples[:3], [s.defective for s in samples[:3]]).sum(1) == pytest.approx(np.ones(3), abs=1e-5)


def test_training_repeats_by_its_seed_and_leaves_the_global_generator_alone(samples):
    state = torch.get_rng_state()
    first, second = (train_classifier(samples, steps=2, batch_size=4, seed=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_saved_classifier_reads_the_same(trained, samples, tmp_path):
    save_classifier(trained, tmp_path / "kept" / "classifier.pt")
    loaded = load_classifier(tmp_path / "kept" / "classifier.pt")
    pictures = [s.defective for s in samples[:3]]
    assert loaded.classes == trained.classes
    assert (read(loaded, samples[:3], pictures) == read(trained, samples[:3], pictures)).all()


def test_confusion_counts_rows_as_truth():
    counts = confusion_matrix(["a", "b", "b"], np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), ["a", "b"])
    assert counts.tolist() == [[1, 0], [1, 1]]


def test_one_defect_is_no_choice(samples):
    with pytest.raises(InputError, match="two or more"):
        train_classifier([s for s in samples if s.defect == "hole"], steps=1)
