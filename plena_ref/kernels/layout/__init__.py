"""Where tensors lie: tensors of VRAM, batches in them, tensors of HBM, and who hands out the room."""
