"""The shared core: from encoded picture to verdict, the same in training, on the server and at the line.

Law: numpy, OpenCV and ONNX Runtime are at home here. torch is not. Sockets belong to the client alone, and so
does the one thread here: it reads a blocking stream, and ends with it. Nothing here imports `training`, `server` or `edge`.
"""
