"""Makes ``small.h5`` and the answers beside it, with Keras 2 itself: ``pip install tf_keras``, then run this file."""

from pathlib import Path

import numpy as np
import tf_keras as keras

layers = keras.layers


def network() -> keras.Model:
    """Branches, a model that is called twice, a frozen layer in it, and arguments that Keras 2 calls otherwise."""
    image = keras.Input((28, 28, 1))
    small = layers.AveragePooling2D(4)(image)
    both = layers.Concatenate()([layers.Conv2D(2, 3, padding="same")(small), small])
    block = keras.Sequential(
        [
            keras.Input((7, 7, 3)),
            layers.SeparableConv2D(3, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Conv2D(3, 1),
            layers.LeakyReLU(alpha=0.2),
        ],
        name="block",
    )
    block.layers[2].trainable = False
    values = layers.Add()([block(both), block(block(both))])
    return keras.Model(image, layers.Dense(10, "softmax")(layers.Flatten()(values)))


def main() -> None:
    """Write both files."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    model = network()
    arrays = []
    for variable, array in zip(model.weights, model.get_weights(), strict=True):
        values = generator.uniform(0.3, 1.5, array.shape).astype(np.float32)
        arrays.append(
            values if "variance" in variable.name else values * generator.choice([-1, 1], array.shape)
        )
    arrays[-2] /= 100  # or one class would have all the probability
    model.set_weights(arrays)
    folder = Path(__file__).parent
    model.save(folder / "small.h5")
    values = np.random.default_rng(1).random((4, 28, 28), np.float32)
    np.savetxt(folder / "answers.txt", model.predict(values[..., None], verbose=0), "%.8e")


if __name__ == "__main__":
    main()
