"""What a trained model is worth on a split: metrics, confidence, and the report of both."""
