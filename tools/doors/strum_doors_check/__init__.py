"""Compares strumc on TFLite files with TensorFlow Lite for Microcontrollers."""
