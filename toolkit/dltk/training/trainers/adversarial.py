"""What a generator and its discriminator learn by.

Losses: hinge (Lim and Ye 2017, arXiv:1705.02894), or Wasserstein with a gradient penalty (Gulrajani et al. 2017,
arXiv:1704.00028). Where images have classes, the discriminator also learns to name them (Odena et al. 2017,
arXiv:1610.09585), and the generator to make images that it can name, of every class as many (Springenberg 2015,
arXiv:1511.06390).
"""

from __future__ import annotations

from typing import Any

from dltk.models.backend import keras, tf

__all__ = ["hinge", "class_loss", "with_class_output", "gradient_penalty", "class_uncertainty", "wasserstein"]

_FLOOR = 1e-12  # under a root, whose slope at 0 is endless


def with_class_output(discriminator: Any, classes: int, *, seed: int) -> Any:
    """`discriminator` with a second output, the logits of `classes`, out of what its last layer scores by."""
    initializer = keras.initializers.GlorotUniform(seed=seed)
    head = keras.layers.Dense(classes, kernel_initializer=initializer, name="classes")
    score = discriminator.output
    return keras.Model(discriminator.input, [score, head(discriminator.layers[-1].input)])


def hinge(real_scores: Any, fake_scores: Any) -> Any:
    """The discriminator's hinge loss, a scalar: real scores (n, 1) over 1 and fake scores under -1 cost nothing."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real_scores)) + tf.reduce_mean(tf.nn.relu(1.0 + fake_scores))


def wasserstein(real_scores: Any, fake_scores: Any) -> Any:
    """The discriminator's Wasserstein loss, a scalar: mean of the fake scores (n, 1) less that of the real ones."""
    return tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)


def class_loss(logits: Any, targets: Any) -> Any:
    """Cross entropy of real images' classes: logits (n, classes), targets int64 (n,)."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))


def class_uncertainty(logits: Any) -> Any:
    """How unsure made images leave the discriminator of their class, less how many classes they share out among.

    Both are entropies in nats, of each image's classes and of the batch's mean: 0 - log(classes) is the least.
    """
    logs = tf.nn.log_softmax(logits)
    shares = tf.exp(logs)
    mean = tf.reduce_mean(shares, axis=0)
    return tf.reduce_sum(mean * tf.math.log(mean + _FLOOR)) - tf.reduce_mean(tf.reduce_sum(shares * logs, axis=-1))


def gradient_penalty(judged: Any, reals: Any, fakes: Any, noise: Any) -> Any:
    """How far the slope of the discriminator is from 1, between pairs of a real and a made image, squared.

    The points between them come from the noise of the other network, so that a step needs no random numbers of its own.
    """
    chosen = tf.reshape(noise[1], (tf.shape(reals)[0], -1))[:, 0]
    shares = tf.reshape(0.5 * (1 + tf.math.erf(chosen / 2**0.5)), (-1, 1, 1, 1))  # normal -> uniform in 0..1
    between = shares * reals + (1 - shares) * fakes
    with tf.GradientTape() as tape:
        tape.watch(between)
        scores = judged(between)
    slopes = tape.gradient(scores, between)
    lengths = tf.sqrt(tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3]) + _FLOOR)
    return tf.reduce_mean(tf.square(lengths - 1))
