#!/usr/bin/env python3
"""yolo-cam for tests: one run stops in the middle, until the test opens the gate.

    gated.py FOLDER PROGRAM ARGUMENT...

Writes a line to FOLDER/starts for each run: its Slurm node and its command. If there is a file FOLDER/armed, the first run of a
shard is held (or the first one on the node that the file names): its output, --json-lines, goes into a pipe with room for few lines,
which nobody reads, so that it comes to a halt after one to three pictures, whatever the clock does. Then there is FOLDER/held, with
its process. It goes on when there is FOLDER/open.
"""

import array
import fcntl
import json
import os
import select
import sys
import termios
from pathlib import Path

# Bytes that the held run can write: more than its longest line, and less than four of its shortest.
ROOM = 1400
POLL_MILLISECONDS = 20


def is_to_be_held(folder):
    try:
        node = (folder / "armed").read_text()
        if node not in ("", os.environ.get("SLURMD_NODENAME")):
            return False
        (folder / "armed").rename(folder / "taken")  # only one can
    except FileNotFoundError:
        return False
    return True


def full_pipe():
    """Both ends of a pipe with ROOM bytes left, and how many bytes are in it."""
    reader, writer = os.pipe()
    size = fcntl.fcntl(writer, getattr(fcntl, "F_SETPIPE_SZ", 1031), 4096)
    os.write(writer, b" " * (size - ROOM))
    return reader, writer, size - ROOM


def keep_gate(folder, program, reader, filled):
    """Tells when the first line is there, and reads the output when it may go on."""
    ended = select.poll()
    ended.register(reader, 0)
    is_told = False
    while not (folder / "open").exists():
        if ended.poll(POLL_MILLISECONDS):
            return
        waiting = array.array("i", [0])
        fcntl.ioctl(reader, termios.FIONREAD, waiting)
        if waiting[0] > filled and not is_told:
            (folder / "held.part").write_text(str(program))
            (folder / "held.part").rename(folder / "held")
            is_told = True
    while os.read(reader, 1 << 16):
        pass


def main():
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    is_shard = "--shard" in " ".join(command)
    if is_shard:
        command.append("--json-lines")  # reports tell the command, so that all have to have it
    with open(folder / "starts", "a") as starts:
        starts.write(json.dumps([os.environ.get("SLURMD_NODENAME"), command]) + "\n")
    if is_shard and is_to_be_held(folder):
        program = os.getpid()
        reader, writer, filled = full_pipe()
        if os.fork() == 0:
            os.setsid()
            os.closerange(0, reader)
            os.close(writer)
            keep_gate(folder, program, reader, filled)
            os._exit(0)
        os.dup2(writer, 1)
        os.close(writer)
        os.close(reader)
    elif is_shard:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
