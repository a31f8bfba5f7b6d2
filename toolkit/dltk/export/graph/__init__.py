"""Changes to an ONNX graph before it is quantized and saved."""
