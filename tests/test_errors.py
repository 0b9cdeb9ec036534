import pytest

from magic_ui.errors import CheckpointError, InputError, MagicError


def test_input_error_names_field_and_message():
    error = InputError("seed", "-1 is out of range; give 0 or more.")
    assert (error.field, error.message) == ("seed", "-1 is out of range; give 0 or more.")
    assert str(error) == "seed: -1 is out of range; give 0 or more."


@pytest.mark.parametrize("error", [InputError("mask", "is empty"), CheckpointError("is damaged")])
def test_errors_are_magic_and_value_errors(error):
    assert isinstance(error, MagicError)
    assert isinstance(error, ValueError)


def test_checkpoint_error_has_its_field():
    error = CheckpointError("the hash differs")
    assert isinstance(error, InputError)
    assert str(error) == "checkpoint: the hash differs"


def test_errors_survive_pickling():
    import pickle

    for error in (InputError("mask", "is empty"), CheckpointError("is damaged")):
        restored = pickle.loads(pickle.dumps(error))
        assert (type(restored), str(restored), restored.field) == (type(error), str(error), error.field)
