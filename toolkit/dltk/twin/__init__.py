"""Keras 3 -> an explicit layer graph -> tf_keras: the same model where Keras 3 cannot go (tfmot, TFLite, QAT)."""
