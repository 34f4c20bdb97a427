"""Exports networks from PyTorch and ONNX to MLIR."""
