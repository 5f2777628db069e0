"""Data sets: CIFAR-100, ImageNet and ModelNet40 from local files, and bundled ones."""
