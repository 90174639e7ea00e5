"""The shared core: from encoded picture to verdict, the same in training, on the server and at the line.

Law: numpy, OpenCV and ONNX Runtime are at home here. torch is not, threads are not, and sockets
belong to the client alone. Nothing here imports `training`, `server` or `edge`.
"""
