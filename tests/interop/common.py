# What the interop scripts share: running ckpt, counting, and loading checkpoints whose classes exist nowhere.
import argparse
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import traceback
import types

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"
FIXTURES = HERE.parent.parent.parent / "shared" / "fixtures"

sys.path.append(str(FIXTURES / "continuing"))  # the modules continuing, toymodels and toysearch, where they are there


class Tally:
    """Counts what passed and what did not; a script ends with `finish`."""

    def __init__(self, name):
        self.name, self.passed, self.failures, self.skips = name, 0, [], {}

    def check(self, good, what):
        if good:
            self.passed += 1
        else:
            self.failures.append(what)
            print("FAILED", what, flush=True)
        return good

    def skip(self, why):
        self.skips[why] = self.skips.get(why, 0) + 1

    def finish(self):
        for why, count in self.skips.items():
            print(f"skipped {count}: {why}")
        print(f"{self.name}: {self.passed} passed, {len(self.failures)} failed, {sum(self.skips.values())} skipped")
        if self.passed == 0:
            print("nothing was tested")
            sys.exit(1)
        sys.exit(1 if self.failures else 0)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", required=True)
    return parser.parse_args()


def run(ckpt, *args, timeout=120):
    """(exit code, stdout, stderr) of one call."""
    done = subprocess.run([ckpt, *map(str, args)], capture_output=True, text=True, timeout=timeout, errors="surrogateescape")
    return done.returncode, done.stdout, done.stderr


def forked(call):
    """(exit code, what it printed) of a call in a process of its own, which has what is imported here already."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        code = 1
        try:
            code = call()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with open(reading, errors="replace") as pipe:
        words = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), words.strip()


def go_on(path, record, *more):
    """(exit code, words) of the real package going on from a search or calibration: 0 same end, 1 another, 2 it cannot be run here."""
    import continuing

    return forked(lambda: continuing.main([str(path), str(record), *more]))


def scratch():
    return tempfile.TemporaryDirectory(prefix="ckpt-interop-")


def stub_module():
    """A pickle module for torch.load that makes up the classes which nobody has."""
    made = {}

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            try:
                return super().find_class(module, name)
            except (ImportError, AttributeError):
                full = f"{module}.{name}"
                if full not in made:
                    made[full] = make_stub(full)
                return made[full]

    module = types.ModuleType("stub_pickle")
    module.Unpickler = Unpickler
    module.load = lambda f, **kw: Unpickler(f, **kw).load()
    module.UnpicklingError = pickle.UnpicklingError
    module.__name__ = "stub_pickle"
    return module


def make_stub(full):
    class Stub(dict):
        """Remembers how it was made; a dict so that SETITEMS works, with list items beside."""

        stub_name = full

        def __new__(cls, *args, **kwargs):
            self = dict.__new__(cls)
            self.made_with = (args, kwargs)
            self.listed = []
            self.state = None
            return self

        def __init__(self, *args, **kwargs):
            dict.__init__(self)

        def append(self, item):
            self.listed.append(item)

        def extend(self, items):
            self.listed.extend(items)

        def __setstate__(self, state):
            self.state = state

        def __hash__(self):
            return id(self)

    Stub.__name__ = Stub.__qualname__ = full
    return Stub
