"""`python -m camn`: the same commands as `camn`."""

from camn.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
