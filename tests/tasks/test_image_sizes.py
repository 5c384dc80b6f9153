"""Images of several sizes, read by rows and pixels: resized where the template says so."""

import numpy as np
import pytest

from seqzoo.tasks import Examples, ManyToOne
from seqzoo.tasks.errors import SeqzooError
from seqzoo.tasks.preprocessing.image_rows import RowFeatures

SMALL = np.array([[10, 250], [90, 30]], np.uint8)
LARGE = np.kron(SMALL, np.ones((8, 8))).astype(np.uint8)


def halved(image: np.ndarray) -> np.ndarray:
    """16 x 16 pixels as 2 x 2: bilinear with antialiasing, a triangle over the neighbours."""
    centres = np.array([[4.0], [12.0]])
    weights = np.maximum(0, 1 - abs(np.arange(16) + 0.5 - centres) / 8)
    weights /= weights.sum(1, keepdims=True)
    return np.rint(weights @ image @ weights.T)


def template(**options) -> ManyToOne:
    return ManyToOne(**{"input": "rows", "units": 2, "image_size": [2, 2], **options})


@pytest.mark.parametrize("kind, steps", [("rows", 2), ("pixels", 4)])
def test_resized_images_are_those_of_the_size(kind, steps) -> None:
    options = template(input=kind)
    examples = Examples([SMALL, LARGE])
    features = RowFeatures.learn(options, examples)
    assert (features.shape, features.dtype) == ((2, 2), "uint8")
    encoded = features.encode(examples)
    assert encoded.lengths.tolist() == [steps] * 2
    np.testing.assert_array_equal(encoded[0].reshape(2, 2), SMALL)
    np.testing.assert_array_equal(encoded[1].reshape(2, 2), halved(LARGE))
    # An array of one size is resized at once, to the same.
    together = features.raw(np.stack([LARGE, LARGE]), ["a", "b"])[0]
    np.testing.assert_array_equal(together, [halved(LARGE)] * 2)


def test_other_numbers_keep_their_scale() -> None:
    constant = [np.full(shape, 1000.5) for shape in ((3, 5, 2), (2, 2, 2))]
    features = RowFeatures.learn(template(), Examples([*constant, np.zeros((4, 4, 2))]))
    (found,) = features.raw(constant, ["a", "b"])
    assert found.shape == (2, 2, 2, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found, 1000.5, rtol=1e-6)


def test_errors_name_the_image_and_the_option() -> None:
    examples = Examples([SMALL, LARGE], lines=[4, 5])
    message = r"line 5 has the shape \(16, 16\) and line 4 has \(2, 2\); .* with --image-size "
    with pytest.raises(SeqzooError, match=message) as error:
        RowFeatures.learn(template(image_size=None), examples)
    assert error.value.location == "line 5"
    with pytest.raises(SeqzooError, match="must have the same channels, but line 5 has the shape"):
        RowFeatures.learn(template(), Examples([SMALL, LARGE[..., None]], lines=[4, 5]))
    with pytest.raises(SeqzooError, match="must have at least one step, but line 5 has none"):
        RowFeatures.learn(template(), Examples([SMALL, LARGE[:0]], lines=[4, 5]))
    with pytest.raises(SeqzooError, match="`image_size` is for rows and pixels, got input 'words'"):
        template(input="words")
    with pytest.raises(SeqzooError, match="`image_size` must be a height and a width"):
        template(image_size=[3])


def test_the_size_is_stored_as_in_json() -> None:
    assert template().to_config()["image_size"] == [2, 2]
    assert ManyToOne(**template().to_config()) == template()


def test_the_image_of_another_type_is_named() -> None:
    features = RowFeatures.learn(template(image_size=None), Examples([SMALL, SMALL]))
    with pytest.raises(SeqzooError, match="must be bytes .*, but line 5 is float32"):
        features.raw([SMALL, SMALL.astype(np.float32)], ["line 4", "line 5"])
