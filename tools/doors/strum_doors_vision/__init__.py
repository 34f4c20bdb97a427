"""Networks for detection and segmentation, quantized by TFLite's converter."""
