"""What training and serving hold in memory, estimated from a model's shape: pure arithmetic, nothing is loaded."""
