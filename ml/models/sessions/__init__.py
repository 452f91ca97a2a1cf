"""Exported networks: ONNX files, run without torch by OpenVINO or ONNX Runtime.

A session runs on the thread that calls it, and several threads may call it at once: `ml.predict`
gives each core a batch of its own.
"""
