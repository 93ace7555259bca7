"""Command line and file formats. They translate, and decide nothing."""
