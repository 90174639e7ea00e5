"""Generated protobuf stubs; made by `make proto` from proto/vision/v1, never edited."""
