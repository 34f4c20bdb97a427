"""ONNX files through strumc, compared with their own results and with ONNX Runtime."""
