"""CAMN in the hands of other programs and libraries, each in a module that only its own users import."""
