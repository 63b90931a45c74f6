"""The memory of feature maps: kept while a network computes, and given back afterwards."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

MEASURE = """
import json, resource, sys, threading
import psutil, torch
from srlib.upscaling.memory import kept_memory

MEGABYTE = 1024**2

def resident():
    return psutil.Process().memory_info().rss // MEGABYTE

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(12 * MEGABYTE)  # 48 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def measure():
    before = resident()
    found = {"without": faults()}
    with kept_memory():
        faults()  # the heap of another thread settles after some ten blocks
        found["within"] = faults()
        with kept_memory():  # as when two threads enlarge
            torch.ones(MEGABYTE)
    found["left"] = resident() - before
    found["afterwards"] = faults()
    try:
        with kept_memory():
            torch.ones(12 * MEGABYTE)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        found["left by an interrupt"] = resident() - before
    print(json.dumps(found))

if sys.argv[1] == "main thread":
    measure()
else:
    thread = threading.Thread(target=measure)
    thread.start()
    thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
@pytest.mark.parametrize("where", ["main thread", "another thread"])
def test_pages_are_asked_for_once_and_given_back(where):
    path = os.pathsep.join([str(ROOT), *sys.path])
    command = [sys.executable, "-c", MEASURE, where]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["within"] < found["without"] / 10
    assert found["afterwards"] > found["without"] / 2  # glibc is as it was
    assert max(found["left"], found["left by an interrupt"]) < 20  # megabytes
