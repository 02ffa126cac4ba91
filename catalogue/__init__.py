"""Tool of the maintainer: holds extensions/catalogue.yaml against what PyPI and registries have.

A package beside extensions/, since it needs the network and libraries that people who
generate a directory do not have; Copier loads nothing of it.
"""
