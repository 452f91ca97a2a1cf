"""Trained models in a form that is served without torch: `python -m ml export`.

An export is an artifact like its original, with the network as an ONNX file in place of its
weights. Its input is letterboxed uint8 squares [n, s, s, 3] of any number, so scaling to [0, 1],
normalising and the change of layout are in the file.
"""
