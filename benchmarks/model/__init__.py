"""The shipped model's speed and memory, side by side with what people use today: `make bench-model`."""
