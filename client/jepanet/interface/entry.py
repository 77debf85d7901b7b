"""The first and last moments of `jepanet`: signals and streams before anything is imported, then the edge."""

from __future__ import annotations

import sys

from jepanet.lifetime import leave_at_once


def main() -> None:
    """The console command: runs the command line and ends with its exit code."""
    leave_at_once()
    from jepanet.interface.edge import ended
    from jepanet.interface.terminal.standard_streams import open_standard_streams
    from jepanet.log_stream import make_errors_patient

    try:
        open_standard_streams()
        if not sys.stderr.isatty():  # a terminal is watched, and keeps both streams in order
            make_errors_patient()
        from jepanet.interface.cli import main as command_line
        from jepanet.lifetime import end_like_interrupt

        end_like_interrupt()
        command_line()
        code = 0
    except BaseException as error:
        code = ended(error, as_json="--json" in sys.argv)
    leave_at_once()  # a second Ctrl-C does not wait for threads, nor does it raise in the middle of the end
    try:
        sys.stdout.flush()
    except BaseException as error:
        code = ended(error, as_json="--json" in sys.argv)
    sys.exit(code)


if __name__ == "__main__":
    main()
