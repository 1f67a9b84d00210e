"""A program that starts a worker and is then killed: ``slicer_standin.py PYTHON OP``; prints the worker's PID."""

import sys
import threading
import time

from convnextseg_engine.worker.client import WorkerClient

python, op = sys.argv[1:]
client = WorkerClient("segment", python, operations="planted_operations")
client.start()
if op == "idle":
    print(client.pid, flush=True)
else:
    first = threading.Event()
    call = threading.Thread(target=client.call, args=(op, {}, lambda _event: first.set()), daemon=True)
    call.start()
    first.wait()
    print(client.pid, flush=True)
time.sleep(600)
